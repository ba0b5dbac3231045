//! The key file of an installation: 64 hexadecimal digits that only the owner of the file can read.

use std::path::Path;

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::store::keys::Keys;

/// Reads a key file.
///
/// # Errors
/// The file cannot be read, or contains no key.
pub(super) fn read(path: &Path) -> anyhow::Result<Keys> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("the key at {} cannot be read", path.display()))?;
    // The cause is dropped, because its message quotes a character of the file.
    let secret = parse(text.trim())
        .ok()
        .with_context(|| format!("{} does not contain 64 hexadecimal digits", path.display()))?;
    Ok(Keys::derive(&secret))
}

/// Writes a new key, unless the file exists.
///
/// The key is written to a draft file, which is then linked to the path. So the file never contains half a key, and two
/// processes that start at the same time use the same key.
///
/// # Errors
/// The file cannot be written.
pub fn make_key(path: &Path) -> anyhow::Result<()> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice())
        .map_err(|_| anyhow::anyhow!("the operating system returned no random bytes"))?;
    let text = Zeroizing::new(hex::encode(secret.as_slice()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    write_private(&draft, text.as_bytes())?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a new file that no other account can read.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn parse(text: &str) -> Result<Zeroizing<[u8; 32]>, hex::FromHexError> {
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, secret.as_mut_slice())?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_64_hexadecimal_digits() {
        assert_eq!(parse(&"0f".repeat(32)).unwrap().as_slice(), [15; 32]);
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32)] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
