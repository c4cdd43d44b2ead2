//! The work-queue tutorial on an embedded broker.
