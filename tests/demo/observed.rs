//! The same task goes to the same worker at the same second as it did on RabbitMQ.

use leveret_demo::work_queue::run;

use crate::transcript::{parse, seen};

macro_rules! observed {
    ($($test:ident: $file:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let (plan, expected) = parse(include_str!(concat!("transcripts/", $file, ".txt")));
                let report = run(&plan, &mut |_, _| Ok(())).unwrap();
                assert_eq!(seen(&report), expected);
            }
        )*
    };
}

observed! {
    s183_without_arguments_hello_world_is_sent: "no_arguments";
    s185_two_workers_take_turns_with_a_window: "two_workers_qos";
    s185_two_workers_take_turns_without_a_window: "two_workers_noqos";
    s186_with_a_window_both_workers_take_heavy_tasks: "uneven_qos";
    s186_without_a_window_one_worker_gets_every_heavy_task: "uneven_noqos";
    s187_with_a_window_a_backlog_is_shared: "backlog_qos";
    s187_without_a_window_the_first_worker_takes_the_backlog: "backlog_noqos";
    s188_a_killed_workers_task_comes_before_the_waiting_ones: "kill_mid_task";
    s188_without_a_window_a_worker_first_does_what_it_holds: "kill_noqos";
    s188_ctrl_c_in_a_task_gives_it_to_the_next_worker: "ctrl_c";
}
