//! The testing kit (feature `testing`): what proves the engine, for this project's tests and others'.
