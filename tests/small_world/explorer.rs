//! What the explorer promises.

use leveret_broker::testing::explore::{Always, Explorer, Goal, Model, Sometimes};

/// Two jugs, of three and five litres: pour until there are four. Its states are known to be 16.
struct Jugs {
    forbidden: u8,
    wanted: u8,
}

impl Model for Jugs {
    type State = (u8, u8, u8, u8);
    type Action = &'static str;
    type Key = (u8, u8);

    fn initial(&self) -> Vec<Self::State> {
        vec![(0, 0, self.forbidden, self.wanted)]
    }

    fn steps(&self, &(three, five, no, yes): &Self::State) -> Vec<(&'static str, Self::State)> {
        let (down, up) = (three.min(5 - five), five.min(3 - three));
        vec![
            ("fill three", (3, five, no, yes)),
            ("fill five", (three, 5, no, yes)),
            ("empty three", (0, five, no, yes)),
            ("empty five", (three, 0, no, yes)),
            ("three into five", (three - down, five + down, no, yes)),
            ("five into three", (three + up, five - up, no, yes)),
        ]
    }

    fn key(&self, &(three, five, ..): &Self::State) -> Self::Key {
        (three, five)
    }

    fn always(&self) -> Vec<Always<Self::State>> {
        vec![("no jug holds what is forbidden", |&(_, five, forbidden, _)| {
            if five == forbidden { Err(format!("{five} litres")) } else { Ok(()) }
        })]
    }

    fn sometimes(&self) -> Vec<Sometimes<Self::State>> {
        vec![("a jug holds what is wanted", |&(_, five, _, wanted)| five == wanted)]
    }

    fn describe(&self, state: &Self::State) -> String {
        format!("three: {}, five: {}", state.0, state.1)
    }
}

const FOUR: [&str; 6] = [
    "fill five",
    "five into three",
    "empty three",
    "five into three",
    "fill five",
    "five into three",
];

#[test]
fn it_goes_everywhere_once_and_gives_the_shortest_way_to_what_is_wanted() {
    let explored = Explorer::new(Jugs { forbidden: 9, wanted: 4 }).run().unwrap();
    assert_eq!((explored.states, explored.transitions, explored.depth), (16, 96, 7));
    assert!(explored.complete);
    let four: Vec<_> = FOUR.map(str::to_owned).into();
    assert_eq!(explored.witnesses, [("a jug holds what is wanted".to_owned(), four)]);
    assert_eq!(explored.ends, 0);
}

#[test]
fn it_gives_the_shortest_way_to_what_is_forbidden() {
    let violation = Explorer::new(Jugs { forbidden: 4, wanted: 4 }).run().unwrap_err();
    assert_eq!(violation.trace, FOUR);
    assert_eq!(violation.property, "no jug holds what is forbidden");
    let text = violation.to_string();
    assert!(text.starts_with("no jug holds what is forbidden: 4 litres\n"), "{text}");
    assert!(text.ends_with("   6. five into three\nthree: 3, five: 4"), "{text}");
}

#[test]
fn what_must_be_possible_and_is_not_is_a_violation() {
    let violation = Explorer::new(Jugs { forbidden: 9, wanted: 7 }).run().unwrap_err();
    assert_eq!(violation.why, "nowhere: a jug holds what is wanted");
}

#[test]
fn bounds_are_told() {
    let jugs = || Explorer::new(Jugs { forbidden: 9, wanted: 5 });
    let near = jugs().with_depth_max(2).run().unwrap();
    assert_eq!((near.states, near.depth, near.complete), (6, 2, false));
    let all = jugs().with_depth_max(8).run().unwrap();
    assert_eq!((all.states, all.complete), (16, true));
    let violation = jugs().with_states_max(10).run().unwrap_err();
    assert_eq!(violation.why, "there are more than 10");
}

/// A model that panics.
struct Panics;

impl Model for Panics {
    type State = u8;
    type Action = u8;
    type Key = u8;

    fn initial(&self) -> Vec<u8> {
        vec![0]
    }

    fn steps(&self, state: &u8) -> Vec<(u8, u8)> {
        assert!(*state < 2, "too far");
        vec![(state + 1, state + 1)]
    }

    fn key(&self, state: &u8) -> u8 {
        *state
    }

    fn always(&self) -> Vec<Always<u8>> {
        Vec::new()
    }
}

#[test]
fn a_panic_is_a_violation_with_the_way_to_it() {
    let violation = Explorer::new(Panics).run().unwrap_err();
    assert_eq!(violation.trace, ["1", "2"]);
    assert_eq!(violation.why, "a step after this panics: too far");
}

/// A walk on which one can go home, or into a wood where one only ever walks in circles.
struct Walk {
    /// Whether there is a path out of the wood.
    path: bool,
    /// Whether states are told apart that must be.
    tells_apart: bool,
}

impl Model for Walk {
    type State = (&'static str, bool);
    type Action = &'static str;
    type Key = (&'static str, bool);

    fn initial(&self) -> Vec<Self::State> {
        vec![("field", true)]
    }

    fn steps(&self, &(place, light): &Self::State) -> Vec<(&'static str, Self::State)> {
        let mut steps = match place {
            "field" => vec![("go on", ("path", light)), ("rest", ("field", false))],
            "path" => vec![("turn back", ("home", light)), ("go in", ("wood", light))],
            "wood" => vec![("go round", ("clearing", light))],
            "clearing" => vec![("go round", ("wood", light))],
            _ => Vec::new(),
        };
        if self.path && place == "clearing" && light {
            steps.push(("find the way out", ("home", light)));
        }
        steps
    }

    fn key(&self, &(place, light): &Self::State) -> Self::Key {
        (place, light && self.tells_apart)
    }

    fn always(&self) -> Vec<Always<Self::State>> {
        Vec::new()
    }

    fn attainable(&self) -> Vec<Goal<'_, Self::State>> {
        vec![("home can still be reached".to_owned(), Box::new(|(place, _)| *place == "home"))]
    }

    fn timeline(&self, actions: &[&&'static str]) -> String {
        format!("a walk: {}\n", actions.iter().map(|one| **one).collect::<Vec<_>>().join(", "))
    }
}

#[test]
fn the_nearest_place_of_no_return_is_found() {
    let violation = Explorer::new(Walk { path: false, tells_apart: false }).run().unwrap_err();
    assert_eq!(violation.property, "home can still be reached");
    assert_eq!(violation.trace, ["go on", "go in"]);
    let reason = "it cannot be reached any more from here on, nor from 2 of all states";
    assert_eq!(violation.why, reason);
    let text = violation.to_string();
    assert!(text.ends_with("after 2 steps:\na walk: go on, go in\n"), "{text}");
    // In the dark nobody finds the way.
    let violation = Explorer::new(Walk { path: true, tells_apart: true }).run().unwrap_err();
    assert_eq!(violation.trace, ["rest", "go on", "go in"]);
    // What is behind the greatest depth may be anything.
    let near = Explorer::new(Walk { path: false, tells_apart: true }).with_depth_max(3).run();
    assert!(!near.unwrap().complete);
}

#[test]
fn a_key_that_leaves_out_what_matters_is_found() {
    let blind = || Explorer::new(Walk { path: true, tells_apart: false });
    assert_eq!(blind().run().unwrap().states, 5);
    let violation = blind().checking_keys().run().unwrap_err();
    assert_eq!(violation.property, "a key holds what matters");
    let walk = Walk { path: false, tells_apart: true };
    let violation = Explorer::new(walk).checking_keys().run().unwrap_err();
    assert_eq!(violation.property, "home can still be reached");
}
