//! Names and addresses that come again and again in a log, each kept once.

use std::sync::Arc;

use crate::protocol::{Address, Name};

/// Gives the same name and the same address for the same text, as far as it remembers: a message that
/// is read back then costs no more memory than one that was just published.
///
/// It remembers one of each that fall to the same place, and so has a bound.
#[derive(Debug)]
pub(super) struct Shared {
    places: [Option<Remembered>; PLACES],
}

#[derive(Debug)]
struct Remembered {
    name: Name,
    /// The last address with this routing key.
    address: Option<Arc<Address>>,
}

/// More than the queues of most programs.
const PLACES: usize = 256;

impl Default for Shared {
    fn default() -> Self {
        Self { places: [const { None }; PLACES] }
    }
}

impl Shared {
    /// A name with this text.
    pub(super) fn name(&mut self, text: &str) -> Name {
        self.remembered(text).name.clone()
    }

    /// An address with this exchange and this routing key.
    pub(super) fn address(&mut self, exchange: &str, routing_key: &str) -> Arc<Address> {
        let remembered = self.remembered(routing_key);
        if let Some(address) = &remembered.address
            && &*address.exchange == exchange
        {
            return Arc::clone(address);
        }
        let routing_key = remembered.name.clone();
        let exchange = self.name(exchange);
        let address = Arc::new(Address { exchange, routing_key: routing_key.clone() });
        self.remembered(&routing_key).address = Some(Arc::clone(&address));
        address
    }

    fn remembered(&mut self, text: &str) -> &mut Remembered {
        let place = &mut self.places[place_of(text)];
        if place.as_ref().is_none_or(|remembered| &*remembered.name != text) {
            *place = None;
        }
        place.get_or_insert_with(|| Remembered { name: text.into(), address: None })
    }
}

/// Names are often numbered, so their ends tell more than their beginnings.
fn place_of(text: &str) -> usize {
    let ends = text.bytes().rev().take(4).enumerate();
    ends.fold(text.len(), |sum, (at, byte)| sum + usize::from(byte) * (at * 10 + 1)) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_the_same_name_until_another_takes_its_place() {
        let mut shared = Shared::default();
        let tasks = shared.name("tasks");
        let address = shared.address("", "tasks");
        assert!(Arc::ptr_eq(&tasks, &shared.name("tasks")));
        assert!(Arc::ptr_eq(&tasks, &address.routing_key));
        assert!(Arc::ptr_eq(&address, &shared.address("", "tasks")));
        assert_eq!(*shared.address("logs", "tasks").exchange, *"logs");
        for number in 0..10_000 {
            let text = format!("queue {number}");
            assert_eq!(*shared.name(&text), *text);
            let address = shared.address(&text, "tasks");
            assert_eq!((&*address.exchange, &*address.routing_key), (&*text, "tasks"));
        }
    }
}
