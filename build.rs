//! Tells Cargo to compile the registry again when a migration is added: `sqlx::migrate!` reads the folder unnoticed.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
