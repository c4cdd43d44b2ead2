//! Crashes at a moment: what they leave is recovered, and compared with what may be there.

use leveret_broker::journal::{JournalOptions, Level};
use leveret_broker::testing::SimBroker;
use leveret_broker::testing::disk::{Choices, Seeded, SimDisk};

use crate::account::{Account, Promised, State, all_marked};
use crate::report::{Event, Report};

/// How many crashes in a row are tried, one in the recovery from the other.
const DEPTH_MAX: usize = 3;
/// Of so many power cuts one is followed by others, one at each operation of the recovery.
const DIGS_EVERY: usize = 80;

/// What may be found after a crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// The states that a power cut may leave,
    pub(crate) power: Vec<State>,
    /// those that a crash of the process may leave,
    pub(crate) kill: Vec<State>,
    /// and what each of them must have; a power cut only at the level that promises so.
    pub(crate) promised: Promised,
}

impl Expected {
    /// The same when a broker begins: from then on everything may be marked redelivered.
    pub(crate) fn begun(&self) -> Self {
        let mut begun = self.clone();
        for states in [&mut begun.power, &mut begun.kill] {
            for state in states.clone() {
                add(states, all_marked(&state));
            }
        }
        begun
    }
}

/// Adds a state that is not among them.
pub(crate) fn add(states: &mut Vec<State>, state: State) {
    if !states.contains(&state) {
        states.push(state);
    }
}

/// Crashes, recovers and compares.
pub(crate) struct Examiner<'a> {
    pub(crate) account: &'a Account,
    pub(crate) options: JournalOptions,
    pub(crate) report: &'a mut Report,
}

impl Examiner<'_> {
    /// A few crashes at a moment, drawn by `choices`.
    pub(crate) fn some(
        &mut self,
        moment: &SimDisk,
        expected: &Expected,
        cuts: usize,
        choices: &mut Seeded,
    ) -> Result<(), String> {
        for _ in 0..cuts {
            let image = moment.crash_image(choices);
            self.after_power_cut(&image, expected, 0, choices)?;
        }
        if choices.below(3) == 0 {
            let image = moment.kill_image();
            self.after_kill(&image, expected, choices)?;
        }
        Ok(())
    }

    /// Every crash at a moment that matters: each legal loss, and, so many times in a row, each again at
    /// every moment of the recovery from it.
    pub(crate) fn every(
        &mut self,
        moment: &SimDisk,
        expected: &Expected,
        depth: usize,
    ) -> Result<(), String> {
        let promised = (self.options.level == Level::Synced).then_some(&expected.promised);
        let mut images = Vec::new();
        for image in moment.crash_images(usize::MAX) {
            self.report.count(Event::PowerCuts);
            images.push((image, &expected.power, promised));
        }
        self.report.count(Event::Kills);
        images.push((moment.kill_image(), &expected.kill, Some(&expected.promised)));
        for (image, states, promised) in images {
            image.keep_moments();
            let found = self.compare(&image, states, promised)?;
            if depth == 0 {
                continue;
            }
            let mut begun = expected.begun();
            begun.kill = Expected { kill: states.clone(), ..Expected::default() }.begun().kill;
            if promised.is_none() {
                begun.promised = Promised::default();
            }
            for moment in image.take_moments() {
                self.report.count(Event::MomentsOfRecovery);
                self.every(&moment, &begun, depth - 1)?;
            }
            begun.kill = vec![all_marked(&found)];
            if self.options.level == Level::Synced {
                begun.power.clone_from(&begun.kill);
            }
            self.every(&image, &begun, depth - 1)?;
        }
        Ok(())
    }

    /// What a power cut has left; now and then with more of them while it is recovered.
    pub(crate) fn after_power_cut(
        &mut self,
        image: &SimDisk,
        expected: &Expected,
        depth: usize,
        choices: &mut Seeded,
    ) -> Result<(), String> {
        self.report.count(Event::PowerCuts);
        if depth > 0 {
            self.report.count(Event::PowerCutsInRecovery);
        }
        let digs = depth < DEPTH_MAX && choices.below(DIGS_EVERY) == 0;
        if digs {
            image.keep_moments();
        }
        let promised = self.options.level == Level::Synced;
        let found = self.compare(image, &expected.power, promised.then_some(&expected.promised))?;
        if digs {
            self.within_recovery(image, &found, expected, depth, choices)?;
        }
        Ok(())
    }

    /// What the end of the process has left; now and then with power cuts while it is recovered.
    fn after_kill(
        &mut self,
        image: &SimDisk,
        expected: &Expected,
        choices: &mut Seeded,
    ) -> Result<(), String> {
        self.report.count(Event::Kills);
        let digs = choices.below(12) == 0;
        if digs {
            image.keep_moments();
        }
        let found = self.compare(image, &expected.kill, Some(&expected.promised))?;
        if digs {
            self.within_recovery(image, &found, expected, 0, choices)?;
        }
        Ok(())
    }

    fn within_recovery(
        &mut self,
        image: &SimDisk,
        found: &State,
        expected: &Expected,
        depth: usize,
        choices: &mut Seeded,
    ) -> Result<(), String> {
        let begun = expected.begun();
        for moment in image.take_moments() {
            let image = moment.crash_image(choices);
            self.after_power_cut(&image, &begun, depth + 1, choices)?;
        }
        let mut opened = begun;
        if self.options.level == Level::Synced {
            opened.power = vec![all_marked(found)];
        }
        let image = image.crash_image(choices);
        self.after_power_cut(&image, &opened, depth + 1, choices)
    }

    /// Recovers, and compares with what may be found.
    pub(crate) fn compare(
        &mut self,
        image: &SimDisk,
        states: &[State],
        promised: Option<&Promised>,
    ) -> Result<State, String> {
        // Space has come back: what a full disk does to a recovery is tried elsewhere.
        image.set_capacity(None);
        let recovered = SimBroker::recovered(image, self.options.clone());
        let core = recovered.map_err(|error| format!("{}: {error}", image.story()))?;
        let story = |what: String| format!("{}: {what}", image.story());
        let found = self.account.found(core.engine()).map_err(story)?;
        if let Some(Err(what)) = promised.map(|promised| promised.kept(&found)) {
            self.report.count(Event::Lost);
            return Err(story(what));
        }
        if !states.contains(&found) {
            self.report.count(Event::Unexpected);
            return Err(story(format!("found\n  {found:?}\nexpected one of\n  {states:?}")));
        }
        Ok(found)
    }
}
