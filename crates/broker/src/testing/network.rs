//! A network between clients and a broker, in virtual time.
//!
//! What a client sends goes up its connection's line, and what the broker says comes down it. Each way of a line keeps
//! the order of each channel, and what concerns the whole connection keeps its place among all of them. Channels
//! overtake each other: TCP would not let them, but RabbitMQ's channels are processes of their own, so no client can rely
//! on which of two is served first. Everything else is independent. How long each thing takes is for [`Delays`] to say. Nothing
//! moves by itself: whoever owns the network asks when something is [due](Network::next_due), and
//! [moves](Network::move_next) it then.

mod way;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use slotmap::Key;

use crate::Clock;
use crate::protocol::{Command, Notice};
use crate::runtime::{BrokerEnd, Deferred, Line, Mailbox, OnItsWay, Wire};

pub use way::Direction;
use way::{Lane, Way};

/// Says how long things take.
pub trait Delays: Send + 'static {
    /// How long something is on its way.
    fn latency(&mut self, hop: Hop) -> Duration;

    /// How often a client's call lets other tasks run before it is sent.
    fn gives_way(&mut self) -> u32;

    /// Whether what a process had sent still arrives when it crashes.
    fn arrives(&mut self, line: u64) -> bool;
}

/// One thing that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// Its line: connections are counted from 0 in the order of connecting.
    pub line: u64,
    /// Whether it goes to the broker.
    pub up: bool,
    /// How many went this way of this line before it.
    pub nth: u64,
}

/// A connection as the network sees it.
#[derive(Clone, Debug)]
pub struct LineView {
    /// Counted from 0 in the order of connecting.
    pub line: u64,
    /// The process that connected, if one did.
    pub owner: Option<u64>,
    /// Where the broker has it.
    pub end: BrokerEnd,
}

/// A network. Clones are handles to the same one, which may connect clients to several brokers.
///
/// A broker is given it with [`BrokerOptions::with_wire`](crate::BrokerOptions::with_wire).
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    delays: Box<dyn Delays>,
    lines: Vec<LineState>,
    /// What is on its way, by when it is due.
    items: BTreeMap<(Duration, u64), Item>,
    numbered: u64,
    moved: u64,
    /// The process that is being polled.
    owner: Option<u64>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct LineState {
    owner: Option<u64>,
    end: Option<BrokerEnd>,
    /// Who hears at its client's end, each with its lane; the first is the connection as a whole.
    mailboxes: Vec<(Lane, Arc<dyn Mailbox>)>,
    /// How many have heard.
    heard: u64,
    /// Its client is gone, and hears nothing.
    cut: bool,
    /// It is lost, and carries nothing to the broker.
    lost: bool,
    up: Way,
    down: Way,
}

enum Item {
    Up(usize, OnItsWay),
    Down(usize, Arc<dyn Mailbox>, Notice),
    /// The broker finds that a client is gone.
    Gone(usize),
    Act(Box<dyn FnOnce() + Send>),
}

impl Network {
    /// A network whose time is that of `clock`.
    #[must_use]
    pub fn new(clock: Clock, delays: impl Delays) -> Self {
        let state = State {
            delays: Box::new(delays),
            lines: Vec::new(),
            items: BTreeMap::new(),
            numbered: 0,
            moved: 0,
            owner: None,
            waker: None,
        };
        Self(Arc::new(Inner { clock, state: Mutex::new(state) }))
    }

    /// When the next thing arrives; `None` if nothing is on its way.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.0.state.lock().items.keys().next().map(|(due, _)| *due)
    }

    /// How much has arrived so far.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.0.state.lock().moved
    }

    /// Lets the next thing arrive that is due; gives whether there was one.
    pub fn move_next(&self) -> bool {
        let now = self.0.clock.elapsed();
        let (item, end) = {
            let mut state = self.0.state.lock();
            let Some(first) = state.items.first_entry().filter(|first| first.key().0 <= now) else {
                return false;
            };
            let item = first.remove();
            state.moved += 1;
            let end = match item {
                Item::Gone(line) => state.lines[line].end.clone(),
                _ => None,
            };
            (item, end)
        };
        match item {
            Item::Up(_, command) => command.arrive(),
            Item::Down(_, mailbox, notice) => {
                let mut deferred = Deferred::default();
                mailbox.put(notice, &mut deferred);
                deferred.run();
            }
            Item::Gone(_) => {
                if let Some(end) = end {
                    end.lose();
                }
            }
            Item::Act(act) => act(),
        }
        true
    }

    /// Does something after a while, between other things that arrive.
    pub fn after(&self, time: Duration, act: impl FnOnce() + Send + 'static) {
        let due = self.0.clock.elapsed() + time;
        let mut state = self.0.state.lock();
        state.add(due, Item::Act(Box::new(act)));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Wakes `waker` once when more is on its way.
    pub fn wake_on_more(&self, waker: &Waker) {
        let earlier = self.0.state.lock().waker.replace(waker.clone());
        drop(earlier);
    }

    /// Says which process is being polled: the connections that are opened meanwhile are its own. Gives which was before.
    pub fn enter(&self, process: Option<u64>) -> Option<u64> {
        std::mem::replace(&mut self.0.state.lock().owner, process)
    }

    /// The connections that were neither lost nor left by their process; those that were closed are among them.
    #[must_use]
    pub fn lines(&self) -> Vec<LineView> {
        let state = self.0.state.lock();
        let lines = state.lines.iter().enumerate().filter(|(_, line)| !line.cut && !line.lost);
        let view = lines.filter_map(|(number, line)| {
            Some(LineView { line: number as u64, owner: line.owner, end: line.end.clone()? })
        });
        view.collect()
    }

    /// Drops everything that is on its way, and forgets who hears at the clients' ends.
    pub fn clear(&self) {
        let mut state = self.0.state.lock();
        let items = std::mem::take(&mut state.items);
        let mailboxes: Vec<_> =
            state.lines.iter_mut().map(|line| std::mem::take(&mut line.mailboxes)).collect();
        let held: Vec<_> = state.lines.iter_mut().map(LineState::hold_no_more).collect();
        drop(state);
        drop((items, mailboxes, held));
    }

    /// A line breaks in between: its client finds out at once, and the broker, which has the connection and what it holds
    /// until then, after a while. Gives whether the line was whole.
    pub fn break_line(&self, line: u64, noticed_after: Duration) -> bool {
        let now = self.0.clock.elapsed();
        let Ok(line) = usize::try_from(line) else { return false };
        let mut state = self.0.state.lock();
        match state.lines.get_mut(line) {
            Some(its) if !its.lost && !its.cut => (its.lost, its.cut) = (true, true),
            _ => return false,
        }
        let dropped = state.take(|item| match item {
            Item::Up(its, _) | Item::Down(its, ..) => *its == line,
            _ => false,
        });
        state.lines[line].hold_no_more();
        // Its channels hear of it before the connection does, as from the broker.
        let mailboxes = std::mem::take(&mut state.lines[line].mailboxes).into_iter();
        let mailboxes = mailboxes.rev().map(|(_, mailbox)| mailbox).collect();
        state.tell_of_loss(line, now, unheard(&dropped));
        state.tell_of_loss(line, now, mailboxes);
        state.add(now + noticed_after, Item::Gone(line));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        drop(dropped);
        true
    }

    /// Whether the broker has yet to find out that a client is gone.
    #[must_use]
    pub fn has_unnoticed(&self) -> bool {
        self.0.state.lock().items.values().any(|item| matches!(item, Item::Gone(_)))
    }

    /// Keeps back what is sent on a line from here on; what is on its way arrives.
    pub fn hold(&self, line: u64, direction: Direction) {
        let mut state = self.0.state.lock();
        let line = usize::try_from(line).ok().and_then(|line| state.lines.get_mut(line));
        let Some(LineState { up, down, .. }) = line else { return };
        for (way, other) in [(up, Direction::FromBroker), (down, Direction::ToBroker)] {
            if direction != other {
                way.held.get_or_insert_default();
            }
        }
    }

    /// Sends on, in order, what was held back on a line.
    pub fn release(&self, line: u64) {
        let now = self.0.clock.elapsed();
        let Ok(line) = usize::try_from(line) else { return };
        let mut state = self.0.state.lock();
        let Some(LineState { up, down, .. }) = state.lines.get_mut(line) else { return };
        let (up, down) = (up.held.take(), down.held.take());
        for (is_up, held) in [(true, up), (false, down)] {
            for (lane, item) in held.into_iter().flatten() {
                state.add_hop((line, is_up, lane), now, item);
            }
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// A process crashes: its connections hear nothing more, and the broker finds out. What it had sent arrives
    /// before that or not at all.
    pub fn crash(&self, process: u64) {
        let now = self.0.clock.elapsed();
        let mut state = self.0.state.lock();
        let mut dropped = Vec::new();
        for line in 0..state.lines.len() {
            let its = &mut state.lines[line];
            if its.owner != Some(process) || its.cut {
                continue;
            }
            its.cut = true;
            let lost = its.lost;
            let arrives = state.delays.arrives(line as u64);
            dropped.extend(state.take(|item| match item {
                Item::Up(its, _) => *its == line && !arrives,
                Item::Down(its, ..) => *its == line,
                _ => false,
            }));
            if !lost {
                state.lines[line].lost = true;
                state.add_hop((line, true, Lane::Connection), now, Item::Gone(line));
            }
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        drop(dropped);
    }
}

impl LineState {
    /// What goes with a line that is lost goes at once. Gives what was held back and is lost too.
    fn hold_no_more(&mut self) -> [Option<Vec<(Lane, Item)>>; 2] {
        [self.up.held.take(), self.down.held.take()]
    }

    /// Where a mailbox stands among those that hear, and from now on does.
    fn place_of(&mut self, mailbox: &Arc<dyn Mailbox>) -> usize {
        let known = self.mailboxes.iter().position(|(_, known)| Arc::ptr_eq(known, mailbox));
        known.unwrap_or_else(|| {
            let lane = if self.heard == 0 { Lane::Connection } else { Lane::Channel(self.heard) };
            self.heard += 1;
            self.mailboxes.push((lane, Arc::clone(mailbox)));
            self.mailboxes.len() - 1
        })
    }
}

impl State {
    fn add(&mut self, due: Duration, item: Item) {
        self.numbered += 1;
        self.items.insert((due, self.numbered), item);
    }

    /// Puts something on its way, behind what goes before it.
    fn add_hop(&mut self, (line, up, lane): (usize, bool, Lane), now: Duration, item: Item) {
        let its = &mut self.lines[line];
        let way = if up { &mut its.up } else { &mut its.down };
        if let Some(held) = &mut way.held {
            held.push((lane, item));
            return;
        }
        let hop = Hop { line: line as u64, up, nth: way.sent };
        way.sent += 1;
        let due = way.due(lane, now + self.delays.latency(hop));
        self.add(due, item);
    }

    fn tell_of_loss(&mut self, line: usize, now: Duration, mailboxes: Vec<Arc<dyn Mailbox>>) {
        for mailbox in mailboxes {
            let item = Item::Down(line, mailbox, Notice::ConnectionLost);
            self.add_hop((line, false, Lane::Connection), now, item);
        }
    }

    fn take(&mut self, mut which: impl FnMut(&Item) -> bool) -> Vec<Item> {
        let keys: Vec<_> =
            self.items.iter().filter(|(_, item)| which(item)).map(|(key, _)| *key).collect();
        let on_their_way = keys.iter().filter_map(|key| self.items.remove(key));
        let mut taken: Vec<_> = on_their_way.collect();
        let ways = self.lines.iter_mut().flat_map(|line| [&mut line.up, &mut line.down]);
        for held in ways.filter_map(|way| way.held.as_mut()) {
            let (gone, kept) = std::mem::take(held).into_iter().partition(|(_, item)| which(item));
            *held = kept;
            let gone: Vec<(Lane, Item)> = gone;
            taken.extend(gone.into_iter().map(|(_, item)| item));
        }
        taken
    }
}

impl Wire for Network {
    fn open(&self) -> Arc<dyn Line> {
        let mut state = self.0.state.lock();
        let owner = state.owner;
        state.lines.push(LineState { owner, ..LineState::default() });
        Arc::new(One { network: Arc::clone(&self.0), line: state.lines.len() - 1 })
    }

    fn gives_way(&self) -> u32 {
        self.0.state.lock().delays.gives_way()
    }

    fn in_flight(&self) -> usize {
        self.0.state.lock().items.len()
    }
}

/// One line of a network.
struct One {
    network: Arc<Inner>,
    line: usize,
}

impl Line for One {
    fn connected(&self, end: BrokerEnd) {
        self.network.state.lock().lines[self.line].end = Some(end);
    }

    fn up(&self, command: OnItsWay) {
        let now = self.network.clock.elapsed();
        let mut state = self.network.state.lock();
        if state.lines[self.line].lost {
            drop(state);
            // As with a socket, the client has yet to find out.
            drop(command);
            return;
        }
        let lane = match command.command() {
            Command::Channel { channel, .. } => Lane::Channel(channel.data().as_ffi()),
            _ => Lane::Connection,
        };
        state.add_hop((self.line, true, lane), now, Item::Up(self.line, command));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn down(&self, mailbox: &Arc<dyn Mailbox>, notice: Notice, deferred: &mut Deferred) {
        let now = self.network.clock.elapsed();
        let mut state = self.network.state.lock();
        if notice == Notice::ConnectionLost {
            state.lines[self.line].lost = true;
            let dropped = state.take(|item| match item {
                Item::Up(line, _) => *line == self.line,
                Item::Down(line, _, notice) => {
                    *line == self.line && *notice != Notice::ConnectionLost
                }
                _ => false,
            });
            state.lines[self.line].hold_no_more();
            state.tell_of_loss(self.line, now, unheard(&dropped));
            deferred.discard(Dropped(dropped));
        }
        if state.lines[self.line].cut {
            deferred.discard(notice);
            return;
        }
        let its = &mut state.lines[self.line];
        let place = its.place_of(mailbox);
        let lane = its.mailboxes[place].0;
        if notice.is_last() {
            deferred.discard(its.mailboxes.remove(place));
        }
        let item = Item::Down(self.line, Arc::clone(mailbox), notice);
        state.add_hop((self.line, false, lane), now, item);
        if let Some(waker) = state.waker.take() {
            deferred.wake(waker);
        }
    }
}

/// Who does not hear the last that the broker had to say, such as that a channel is closed, and nothing after it.
fn unheard(dropped: &[Item]) -> Vec<Arc<dyn Mailbox>> {
    let last = dropped.iter().filter_map(|item| match item {
        Item::Down(_, mailbox, notice) if notice.is_last() => Some(Arc::clone(mailbox)),
        _ => None,
    });
    last.collect()
}

/// What was lost on its way.
struct Dropped(#[expect(dead_code, reason = "it is kept to be dropped")] Vec<Item>);

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("Network")
            .field("lines", &state.lines.len())
            .field("in_flight", &state.items.len())
            .field("moved", &state.moved)
            .finish()
    }
}
