//! The publisher's connection: how it may be lost, and what of a publish is lost with it.

use super::declare::May;
use super::state::State;
use super::steps::Kind;
use super::{PUBLISHER, World};
use crate::protocol::Method;

impl<S: Clone> State<S> {
    /// How the publisher's connection may end now.
    pub(super) fn publisher_ends(&self, world: &World<S>, add: &mut impl FnMut(Kind, String)) {
        if !world.allowed.contains(&May::LosePublisher) || self.mishaps_left == Some(0) {
            return;
        }
        let lost = "the connection of the publisher is lost";
        if self.connections[PUBLISHER].is_some() {
            add(Kind::LosePublisher(None), lost.to_owned());
        }
        for place in self.to_publish(world) {
            let body = &world.messages[place].body;
            // Who publishes it again is then where it would be if it were at rest.
            if !world.publishes_again {
                let kind = Kind::LosePublisher(Some((place, false)));
                add(kind, format!("{lost}, and {body} on its way with it"));
            }
            if world.channels[PUBLISHER].confirms {
                let kind = Kind::LosePublisher(Some((place, true)));
                add(kind, format!("{lost} when {body} has arrived, and the confirm has not"));
            }
        }
    }

    /// The connection is lost; the publish that was on its way has arrived, or never does.
    pub(super) fn lose_publisher(&mut self, world: &World<S>, on_its_way: Option<(usize, bool)>) {
        self.mishap();
        if let Some((place, arrives)) = on_its_way {
            self.published[place] = !world.publishes_again;
            if arrives {
                self.open(world, PUBLISHER);
                // Nobody waits for its confirm, so what the broker says to that is not heard.
                let publish = world.messages[place].publish();
                self.method(world, PUBLISHER, Method::BasicPublish(publish));
            }
        }
        self.lose(world, PUBLISHER);
    }
}
