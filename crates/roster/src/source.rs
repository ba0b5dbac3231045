//! Where a roster comes from.

use std::io::{Read, Seek};

/// What a roster can be read from. It is read from its beginning more than once.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}
