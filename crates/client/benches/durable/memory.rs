//! What a ready persistent message of 100 bytes costs in memory, all told: goal 250 bytes.
//!
//! Each figure is the growth of a process of its own, as the operating system counts it; where that
//! cannot be asked, nothing is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use leveret_client::{Broker, BrokerOptions, Level};

use super::{Size, directory, publish, publisher, remove};

/// The first argument of a process that measures.
pub(crate) const CHILD: &str = "measure-memory";
const MESSAGES: usize = 1_000_000;
const GOAL: usize = 250;

/// A queue of messages just published, and one recovered.
pub(crate) fn all(size: Size) {
    if resident().is_none() {
        println!("  not measured: this system has no /proc/self/statm");
        return;
    }
    let path = directory("memory");
    let count = MESSAGES / size.part;
    for what in ["published", "recovered"] {
        let program = std::env::current_exe().expect("it runs");
        let arguments = [CHILD, what, &count.to_string()];
        let output = Command::new(program).args(arguments).arg(&path).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let grown = String::from_utf8_lossy(&output.stdout).trim().parse::<usize>();
        let each = grown.expect("a number") / count;
        let verdict = if each <= GOAL { "met" } else { "missed" };
        println!("  {what:<44} {each:>10} bytes a message (goal {GOAL}: {verdict})");
    }
    remove(&path);
}

/// Fills a queue, or opens the directory where that was done, and prints by how much it has grown.
pub(crate) fn child(_role: &str, mut arguments: impl Iterator<Item = String>) {
    let what = arguments.next().expect("what to measure");
    let count = arguments.next().and_then(|count| count.parse::<usize>().ok()).expect("how many");
    let path = PathBuf::from(arguments.next().expect("where"));
    let before = resident().expect("it was asked before");
    let broker = open(&path);
    if what == "published" {
        fill(&broker, count);
    }
    assert_eq!(broker.queue("q").expect("it is there").messages_ready, count);
    println!("{}", resident().expect("it was asked before").saturating_sub(before));
}

fn open(path: &Path) -> Broker {
    let options = BrokerOptions::default().with_level(Level::Written);
    Broker::open_with(path, options).expect("it is whole")
}

fn fill(broker: &Broker, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers").block_on(async {
        let channel = publisher(broker).await;
        for number in 0..count {
            let confirm = publish(&channel, &[b'x'; 100]).await;
            // What is under way is no message's cost for good.
            if number % 1_000 == 999 {
                assert!(confirm.await.expect("the disk works").is_ack());
            }
        }
        channel.wait_for_confirms().await.expect("the disk works");
    });
}

/// Bytes of memory that this process has, on systems that tell it in this way.
fn resident() -> Option<usize> {
    const PAGE: usize = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages * PAGE)
}
