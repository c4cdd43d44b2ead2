//! A run on a directory whose power is cut at any moment is finished by the next one.

use std::collections::BTreeSet;
use std::sync::Arc;

use leveret_client::testing::disk::SimDisk;
use leveret_client::{Broker, BrokerOptions};
use leveret_demo::work_queue::{DurableRun, Plan, What};

fn tasks() -> Vec<String> {
    (0..7).map(|number| format!("task {number}")).collect()
}

/// Plays a run on this disk with these tasks, and calls `watch` with what was done so far after each.
/// Gives what was done, or `None` if the power went before it had taken the tasks.
fn play(disk: &SimDisk, tasks: &[String], watch: &mut dyn FnMut(&[String])) -> Option<Vec<String>> {
    let plan = Plan::new(tasks.iter().map(String::as_str), 2);
    let broker = Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default()).ok()?;
    let run = DurableRun::on(broker, plan).ok()?;
    let tasks = run.plan().tasks.clone();
    let mut done = Vec::new();
    // Where the power goes it ends with an error; what was done before is done.
    let _ = run.run(&mut |event, _| {
        if let What::Done(task) = event.what {
            done.push(tasks[task].body.clone());
            watch(&done);
        }
        Ok(())
    });
    Some(done)
}

/// What a disk holds after a power cut is finished by the next run, with the tasks given again (or, if the
/// first run had taken them, without).
fn finish(images: Vec<SimDisk>, before: Option<&[String]>) {
    let all = tasks();
    for image in images {
        let given = [&all[..], &[]];
        for given in given.into_iter().take(if before.is_some() { 2 } else { 1 }) {
            let image = image.kill_image();
            let after = play(&image, given, &mut |_| ()).expect("it opens");
            let once: BTreeSet<&String> = after.iter().collect();
            assert_eq!(once.len(), after.len(), "sent twice: {}", image.story());
            let together: BTreeSet<&String> =
                before.unwrap_or_default().iter().chain(&after).collect();
            assert_eq!(together, all.iter().collect(), "lost: {}", image.story());
            let third = play(&image, &[], &mut |_| ()).expect("it opens");
            assert!(third.is_empty(), "left: {}", image.story());
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_of_the_disk_leaves_the_rest_to_the_next_run() {
    let mut taken_and_not_done = 0;
    for operation in 1.. {
        let disk = SimDisk::new();
        disk.crash_at(operation);
        let before = play(&disk, &tasks(), &mut |_| ());
        if !disk.has_crashed() {
            break;
        }
        taken_and_not_done +=
            usize::from(before.as_ref().is_some_and(|done| done.len() < tasks().len()));
        finish(disk.crash_images(20), before.as_deref());
    }
    assert!(taken_and_not_done > 0, "the power went before a run was done");
}

#[test]
fn s189_a_power_cut_after_any_task_leaves_the_rest_to_the_next_run() {
    let disk = SimDisk::new();
    let mut moments = Vec::new();
    play(&disk, &tasks(), &mut |done| moments.push((disk.crash_images(20), done.to_vec())));
    assert_eq!(moments.len(), tasks().len());
    for (images, done) in moments {
        finish(images, Some(&done));
    }
}
