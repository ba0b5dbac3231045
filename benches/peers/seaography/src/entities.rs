//! The tables of `register.sql`, as `sea-orm-cli` writes them.

pub mod channels;
pub mod coverage;
pub mod employers;
pub mod participants;
pub mod provinces;
