//! What reads the bytes of our own files, for the fuzz targets. Compiled with the feature `fuzzing` only.

pub use crate::sqlite::{frame, frame_seeds};
