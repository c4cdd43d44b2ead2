//! `journal`: looking into a directory, and salvaging it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use leveret_client::blocking::Connection;
use leveret_client::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, BrokerOptions, ConnectionProperties, Level};

use crate::process::{Ran, Scratch, run, run_into_head};

const JOURNAL: &str = env!("CARGO_BIN_EXE_journal");

const FIRST: &str = "00000000000000000001.log";

/// A directory with queues `tasks` (three messages, of which the first was acknowledged) and `other` (one).
fn fill(directory: &Path) {
    let broker = Broker::open_with(directory, BrokerOptions::default()).expect("it opens");
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default());
    let channel = connection.expect("connected").channel().expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).expect("confirms");
    for queue in ["tasks", "other"] {
        let options = QueueDeclareOptions::durable();
        channel.queue_declare(queue.into(), options, FieldTable::default()).expect("declared");
    }
    for (queue, body) in
        [("tasks", "one"), ("tasks", "two"), ("other", "three"), ("tasks", "\x1b[2J")]
    {
        let properties = BasicProperties::default().with_delivery_mode(2).with_app_id("cli".into());
        let options = BasicPublishOptions::default();
        let confirm =
            channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
        assert!(confirm.expect("published").is_ack());
    }
    let got = channel.basic_get("tasks".into(), BasicGetOptions::default()).expect("asked");
    let tag = got.expect("a message").delivery.delivery_tag;
    channel.basic_ack(tag, BasicAckOptions::default()).expect("acknowledged");
}

/// Names, bytes and times of change of all there is in a directory.
fn everything(directory: &Path) -> Vec<(String, Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(directory).expect("read").map(|entry| entry.expect("read"));
    let mut all: Vec<_> = entries
        .map(|entry| {
            let changed = entry.metadata().and_then(|metadata| metadata.modified()).expect("known");
            let bytes = fs::read(entry.path()).expect("read");
            (entry.file_name().into_string().expect("UTF-8"), bytes, changed)
        })
        .collect();
    all.sort();
    let itself = fs::metadata(directory).and_then(|metadata| metadata.modified()).expect("known");
    all.push((".".to_owned(), Vec::new(), itself));
    all
}

/// Runs the program; nothing in the directory may change by that.
fn look(directory: &Scratch, args: &[&str]) -> Ran {
    let before = everything(directory.path());
    let ran = run(JOURNAL, &[&[directory.arg()], args].concat());
    assert!(everything(directory.path()) == before, "it only looks");
    ran
}

/// Turns over a bit in the middle of a text in the first segment.
fn damage(directory: &Scratch, text: &[u8]) {
    let path = directory.path().join(FIRST);
    let mut bytes = fs::read(&path).expect("read");
    let at = bytes.windows(text.len()).position(|part| part == text).expect("it is there");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// How many bytes the program says are room behind the first segment; none on file systems where none is filled.
fn room(lines: &[&str]) -> u64 {
    let behind = format!("Behind {FIRST}: ");
    let line = lines.iter().find_map(|line| line.strip_prefix(&behind));
    let number = line.and_then(|line| line.split(' ').next());
    number.map_or(0, |number| number.parse().expect("a number"))
}

#[test]
fn a_sound_directory_is_shown() {
    let directory = Scratch::new("sound");
    fill(directory.path());
    let ran = look(&directory, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    let room = room(&lines);
    lines.retain(|line| !line.starts_with("Behind "));
    assert_eq!(lines[0], "Journal of vhost \"/\", segments: 1");
    let fields =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    assert_eq!(fields(lines[2]), ["segment", "bytes", "batches", "records", "live", "dead"]);
    let segment = fields(lines[3]);
    let number = |at: usize| -> u64 { segment[at].parse().expect("a number") };
    let bytes = fs::metadata(directory.path().join(FIRST)).expect("there").len() - room;
    assert_eq!((&*segment[0], number(1), number(4) + number(5)), (FIRST, bytes, bytes));
    // A start, two queues, four messages, a removal and a stop.
    assert_eq!(number(3), 9);
    assert_eq!(fields(lines[5]), ["queue", "messages", "bytes"]);
    assert_eq!(fields(lines[6])[..2], ["\"tasks\"", "2"]);
    assert_eq!(fields(lines[7])[..2], ["\"other\"", "1"]);
    assert!(lines[9].contains("would open this directory as it is") && lines[9].contains("case B"));
    assert_eq!(lines.len(), 10);
}

#[test]
fn records_are_lines() {
    let directory = Scratch::new("records");
    fill(directory.path());
    let ran = look(&directory, &["--records"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[0], format!("{FIRST}:65 r1 started"));
    assert!(lines[1].ends_with(" queue-declared \"tasks\""), "{}", lines[1]);
    assert!(
        lines[3].ends_with(
            " enqueued \"tasks\" m1 to \"\" \"tasks\" [delivery_mode=2 app_id=\"cli\"] 3 bytes \"one\""
        ),
        "{}",
        lines[3]
    );
    assert!(lines[6].ends_with(" 4 bytes \"\\u{1b}[2J\""), "{}", lines[6]);
    assert!(lines[7].ends_with(" removed \"tasks\" m1"), "{}", lines[7]);
    assert!(lines[8].ends_with(" stopped"), "{}", lines[8]);

    let of_other = look(&directory, &["--records", "--queue", "other"]).stdout;
    let kinds: Vec<_> = of_other.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(kinds, ["queue-declared", "enqueued"]);
}

#[test]
fn a_damaged_directory_is_shown_and_salvaged() {
    let (directory, new) = (Scratch::new("damaged"), Scratch::new("salvaged"));
    fill(directory.path());
    damage(&directory, b"two");
    let ran = look(&directory, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    for text in [
        "A broker would refuse this directory (case F: the medium changed what it had kept)",
        "`journal DIR --salvage NEW`",
        " bytes from byte ",
        "Counted is what stands before the damage.",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    let records = look(&directory, &["--records"]);
    assert_eq!((records.code, records.stdout.lines().count()), (Some(1), 9));
    let bad: Vec<&str> = records.stdout.lines().filter(|line| line.contains(" !! ")).collect();
    assert!(
        bad.len() == 1 && bad[0].ends_with(" bytes: a frame's checksum does not hold"),
        "{bad:?}"
    );

    let ran = look(&directory, &["--salvage", new.arg()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "taken over: queues: 2, messages: 2 (segments: 1, records: 8)");
    assert!(lines[1].starts_with(&format!("not readable: {FIRST}, ")) && lines.len() == 2);
    assert_eq!(look(&new, &[]).code, Some(0));
    let broker = Broker::open(new.path()).expect("it opens");
    let bodies = |queue| -> Vec<(String, bool)> {
        let messages = broker.messages(queue).into_iter();
        messages.map(|message| (message.body, message.redelivered)).collect()
    };
    assert_eq!(bodies("other"), [("three".to_owned(), true)]);
    assert_eq!(bodies("tasks").len(), 1);
    drop(broker);

    let again = look(&directory, &["--salvage", new.arg()]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""));
    assert!(again.stderr.contains("the new directory is not empty of a log"), "{}", again.stderr);
}

#[test]
fn what_a_crash_has_left_is_sound() {
    let directory = Scratch::new("torn");
    fill(directory.path());
    let path = directory.path().join(FIRST);
    let sound = run(JOURNAL, &[directory.arg()]).stdout;
    let room = room(&sound.lines().collect::<Vec<_>>());
    let len = fs::metadata(&path).expect("there").len() - room;
    fs::OpenOptions::new().write(true).open(&path).expect("open").set_len(len - 1).expect("cut");
    let ran = look(&directory, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let text = "(case D: a crash while a batch was written)";
    assert!(
        ran.stdout.contains("A broker would cut ") && ran.stdout.contains(text),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(" bytes that are no whole batch"), "{}", ran.stdout);
}

#[test]
fn a_missing_directory_is_an_error_and_an_empty_one_is_not() {
    let directory = Scratch::new("missing");
    for args in [&[][..], &["--records"], &["--salvage", "nowhere"]] {
        let ran = run(JOURNAL, &[&[directory.arg()], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        assert!(ran.stderr.contains("there is no directory "), "{}", ran.stderr);
        assert!(!directory.path().exists() && !Path::new("nowhere").exists());
    }
    fs::create_dir(directory.path()).expect("made");
    let ran = look(&directory, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(
        ran.stdout
            .ends_with("A broker would begin a new journal here (case A: a new directory).\n")
    );
    assert_eq!(look(&directory, &["--records"]).stdout, "");
    let ran =
        look(&directory, &["--salvage", directory.path().join("new").to_str().expect("UTF-8")]);
    assert!(ran.code == Some(1) && ran.stderr.contains("not lie in it"), "{}", ran.stderr);
}

#[test]
fn a_directory_in_use_is_shown_and_not_salvaged() {
    let (directory, new) = (Scratch::new("used"), Scratch::new("used-new"));
    fill(directory.path());
    let broker = Broker::open(directory.path()).expect("it opens");
    let ran = look(&directory, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    if cfg!(target_os = "linux") {
        let text = format!("In use by process {}: what is shown may be behind", std::process::id());
        assert!(ran.stdout.contains(&text), "{}", ran.stdout);
    }
    let ran = look(&directory, &["--salvage", new.arg()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("the directory is in use by process"), "{}", ran.stderr);
    assert!(!new.path().exists());
    drop(broker);
    assert!(!look(&directory, &[]).stdout.contains("In use"));
}

#[cfg(unix)]
#[test]
fn no_permission_to_write_is_needed() {
    use std::os::unix::fs::PermissionsExt;

    let (directory, new) = (Scratch::new("read-only"), Scratch::new("read-only-new"));
    fill(directory.path());
    let allow = |files: u32, folder: u32| {
        for entry in fs::read_dir(directory.path()).expect("read") {
            let path = entry.expect("read").path();
            fs::set_permissions(path, fs::Permissions::from_mode(files)).expect("allowed");
        }
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(folder)).expect("allowed");
    };
    allow(0o400, 0o500);
    let looked = [look(&directory, &[]), look(&directory, &["--records"])];
    let salvaged = look(&directory, &["--salvage", new.arg()]);
    allow(0o600, 0o700);
    for ran in looked.iter().chain([&salvaged]) {
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    }
    assert!(salvaged.stdout.ends_with("nothing was left behind\n"), "{}", salvaged.stdout);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let directory = Scratch::new("pipe");
    fill(directory.path());
    let options = BrokerOptions::default().with_level(Level::Written);
    let broker = Broker::open_with(directory.path(), options).expect("it opens");
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default());
    let channel = connection.expect("connected").channel().expect("a channel");
    // More than a pipe takes in.
    for _ in 0..3000 {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), "tasks".into(), options, b"more", properties);
        sent.expect("published");
    }
    drop((channel, broker));
    let (code, stderr) = run_into_head(JOURNAL, &[directory.arg(), "--records"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let directory = Scratch::new("arguments-journal");
    for args in [
        &[][..],
        &["one", "two"],
        &[directory.arg(), "--queue", "tasks"],
        &[directory.arg(), "--records", "--salvage", "new"],
    ] {
        let ran = run(JOURNAL, args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
    }
    assert!(!directory.path().exists());
}
