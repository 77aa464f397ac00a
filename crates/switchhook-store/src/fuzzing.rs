//! Readers of our own file formats, for the fuzz targets. Compiled with the feature `fuzzing` only.

pub use crate::sqlite::{frame, frame_seeds};
