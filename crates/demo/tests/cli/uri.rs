//! `--uri`: what is refused without a server being asked.

use crate::process::run;

const PROGRAMS: [(&str, &str, &[&str]); 3] = [
    ("new_task", env!("CARGO_BIN_EXE_new_task"), &[]),
    ("worker", env!("CARGO_BIN_EXE_worker"), &[]),
    ("work_queue", env!("CARGO_BIN_EXE_work_queue"), &["task"]),
];
/// Nobody listens there.
const NOWHERE: &str = "amqp://guest:secret@127.0.0.1:1/%2f";

/// Runs a program that ends with `code` and prints nothing but an error; gives that.
fn refused(path: &str, args: &[&[&str]], code: i32) -> String {
    let ran = run(path, &args.concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{path}: {}", ran.stderr);
    ran.stderr
}

#[cfg(not(feature = "rabbitmq"))]
#[test]
fn a_program_without_lapin_says_how_to_build_one_with_it() {
    for (name, path, tasks) in PROGRAMS {
        let error = refused(path, &[&["--uri", NOWHERE], tasks], 2);
        let command = format!("cargo run --features rabbitmq --bin {name} -- --uri");
        assert!(error.contains(&command), "{error}");
    }
}

#[cfg(feature = "rabbitmq")]
#[test]
fn what_only_an_embedded_broker_has_is_refused() {
    for (_, path, tasks) in PROGRAMS {
        let error = refused(path, &[&["--uri", NOWHERE, "--dir", "there"], tasks], 2);
        assert!(error.contains("'--uri <URI>' cannot be used with '--dir <DIR>'"), "{error}");
    }
    let (_, work_queue, task) = PROGRAMS[2];
    let error = refused(work_queue, &[&["--uri", NOWHERE, "--history"], task], 2);
    assert!(error.contains("'--uri <URI>' cannot be used with '--history'"), "{error}");
    let error = refused(work_queue, &[&["--uri", NOWHERE, "--no-ack", "--kill", "w1@1"], task], 2);
    assert!(error.contains("nobody could tell when the work is done"), "{error}");
}

#[cfg(feature = "rabbitmq")]
#[test]
fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    for (_, path, tasks) in PROGRAMS {
        let error = refused(path, &[&["--uri", "amqps://127.0.0.1"], tasks], 2);
        assert!(error.contains("this program has no TLS"), "{error}");
        let error = refused(path, &[&["--uri", "nonsense"], tasks], 2);
        assert!(error.contains("'nonsense' for '--uri <URI>'"), "{error}");
        let error = refused(path, &[&["--uri", NOWHERE], tasks], 1);
        assert!(error.starts_with("error: on 127.0.0.1:1: "), "{error}");
        assert!(error.contains("onnection refused") && !error.contains("secret"), "{error}");
    }
}
