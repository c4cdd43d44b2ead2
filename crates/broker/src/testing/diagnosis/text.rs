//! A diagnosis in words.

use std::fmt;

use super::{Diagnosis, Finding, Mistake};

impl Mistake {
    /// Its name, which does not change.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverSettled => "never-settled",
            Self::PrefetchWithoutAcks => "prefetch-without-acks",
            Self::UnlimitedPrefetch => "unlimited-prefetch",
            Self::TransientQueue => "transient-queue",
            Self::TransientMessage => "transient-message",
            Self::Unroutable => "unroutable",
            Self::ConfirmNotAwaited => "confirm-not-awaited",
            Self::RequeueLoop => "requeue-loop",
            Self::BlockedConsumers => "blocked-consumers",
            Self::BlockedRuntime => "blocked-runtime",
        }
    }

    /// Why it matters, in a sentence.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::NeverSettled => {
                "what is held is lost for others, takes room in its window, and comes again when its channel ends"
            }
            Self::PrefetchWithoutAcks => {
                "with automatic acks every message counts as done when it is sent: no prefetch holds any back, and a \
                 worker that dies takes all that it was sent with it"
            }
            Self::UnlimitedPrefetch => {
                "whoever comes first is sent everything there is: it fills up its memory, and workers that come later \
                 have nothing to do"
            }
            Self::TransientQueue => {
                "a restart of the broker takes a transient queue with all that is in it, so being persistent is of no use"
            }
            Self::TransientMessage => {
                "a restart of the broker leaves a durable queue without them: only a persistent message in a durable \
                 queue survives"
            }
            Self::Unroutable => "they are gone, and nobody has heard of it",
            Self::ConfirmNotAwaited => {
                "until its confirm is there a message may be lost without a trace, and a refusal is not heard"
            }
            Self::RequeueLoop => {
                "a message that fails each time comes back at once, keeps its workers busy for nothing, and never gets \
                 out of the way"
            }
            Self::BlockedConsumers => {
                "nobody is sent anything more until one of them settles something: if none does, the queue stands still \
                 for ever"
            }
            Self::BlockedRuntime => {
                "while a task blocks its thread no other task of it runs: deliveries, timeouts and heartbeats all wait"
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NeverSettled => {
                "settle each delivery on every path: ack it when its work is done, nack or reject it when that fails"
            }
            Self::PrefetchWithoutAcks => {
                "consume with no_ack: false and ack what is done, or leave the prefetch out"
            }
            Self::UnlimitedPrefetch => {
                "call basic_qos(1, …), or a number that fits the work, before basic_consume"
            }
            Self::TransientQueue => {
                "declare the queue durable, or publish with delivery mode 1 if the loss is no matter"
            }
            Self::TransientMessage => {
                "publish with delivery mode 2, or declare the queue transient if the loss is no matter"
            }
            Self::Unroutable => {
                "publish with mandatory: true and look at what comes back; declare and bind queues before publishing"
            }
            Self::ConfirmNotAwaited => {
                "await the confirm that basic_publish gives, or wait_for_confirms after a batch; look for nacks"
            }
            Self::RequeueLoop => {
                "reject without requeue into a dead letter exchange after some attempts, or use a quorum queue with a \
                 delivery limit"
            }
            Self::BlockedConsumers => {
                "find what each of them waits for before it settles: often for a message behind those it holds"
            }
            Self::BlockedRuntime => {
                "await instead of blocking; give work that takes long to spawn_blocking or to a thread of its own"
            }
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many details of a finding are shown.
const DETAILS: usize = 3;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mistake, place, details } = self;
        writeln!(f, "{mistake}: {place}")?;
        for detail in details.iter().take(DETAILS) {
            writeln!(f, "  {detail}")?;
        }
        match details.len().saturating_sub(DETAILS) {
            0 => Ok(()),
            more => writeln!(f, "  … and {more} more"),
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.len() {
            0 => writeln!(f, "nothing found")?,
            1 => writeln!(f, "1 finding")?,
            count => writeln!(f, "{count} findings")?,
        }
        for (index, finding) in self.findings.iter().enumerate() {
            write!(f, "\n{finding}")?;
            // What goes for all of a kind is said once, after the last.
            let next = self.findings.get(index + 1);
            if next.is_none_or(|next| next.mistake != finding.mistake) {
                writeln!(f, "  why: {}", finding.mistake.why())?;
                writeln!(f, "  do:  {}", finding.mistake.remedy())?;
            }
        }
        if !self.has_history {
            writeln!(f, "\nThe broker keeps no history: only what there is now was looked at.")?;
        }
        Ok(())
    }
}
