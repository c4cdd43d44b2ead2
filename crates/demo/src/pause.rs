//! The one place that waits in real time.

use std::time::Duration;

/// Lets real time pass: a tutorial worker at its task, or a reader at a line of the tour.
#[expect(
    clippy::disallowed_methods,
    reason = "people read, and tutorial workers work, in real time"
)]
pub fn pause(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}
