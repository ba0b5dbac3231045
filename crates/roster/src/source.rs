//! The input of a roster.

use std::io::{Read, Seek};

/// An input from which a roster can be read. It is read from its beginning more than once.
pub trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}
