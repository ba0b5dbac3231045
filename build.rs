//! Compiles the registry again when a migration is added: `sqlx::migrate!` reads the folder, and Cargo does not see that.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
