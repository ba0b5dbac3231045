//! Documents that are known before they are sent: a client names one by its SHA-256 and sends no text.
//!
//! Two kinds. *Stored* documents are an operator's: a manifest of a front end, checked at the start. *Automatic* ones are
//! a client's (Apollo's automatic persisted queries): sent once with their hash, and known from then on to this client
//! alone, in this process. So no client can look for another's documents, or push them out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::{Executor, Request, Variables};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::code::Code;
use super::guard::{self, Limits};
use super::settings::Documents;

/// The SHA-256 of a document's text.
pub type Hash = [u8; 32];

/// The documents of a manifest.
#[derive(Debug)]
pub struct StoredDocuments(HashMap<Hash, Arc<str>>);

/// A manifest that is not served.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// It has another form.
    #[error("it is not a JSON object of SHA-256 to text")]
    Shape,
    /// A name is not the hash of its text.
    #[error("the document {0} has another SHA-256 than its name")]
    Hash(String),
    /// A document that the door would refuse.
    #[error("the document {name} is refused: {reason}")]
    Refused {
        /// Its hash, as it is written there.
        name: String,
        /// What the guard or the schema says.
        reason: String,
    },
}

/// Reads 64 hexadecimal digits, with or without `sha256:` before them.
pub fn read_hash(text: &str) -> Option<Hash> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
    let mut hash = Hash::default();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(hash)
}

fn hash_of(text: &str) -> Hash {
    Sha256::digest(text).into()
}

impl StoredDocuments {
    /// Reads a manifest, and asks guard and schema about each document, so that none is refused when it is needed.
    ///
    /// # Errors
    /// It cannot be read, or one of its documents could never run.
    pub async fn read<E: Executor>(json: &[u8], schema: &E, limits: &Limits) -> Result<Self, BadManifest> {
        let texts: HashMap<String, String> = serde_json::from_slice(json).map_err(|_| BadManifest::Shape)?;
        let mut documents = HashMap::with_capacity(texts.len());
        for (name, text) in texts {
            let hash = read_hash(&name).filter(|hash| *hash == hash_of(&text));
            let hash = hash.ok_or_else(|| BadManifest::Hash(name.clone()))?;
            if let Err(reason) = check(&text, schema, limits).await {
                return Err(BadManifest::Refused { name, reason });
            }
            documents.insert(hash, text.into());
        }
        Ok(Self(documents))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Would this run, given its variables?
async fn check<E: Executor>(text: &str, schema: &E, limits: &Limits) -> Result<(), String> {
    // No operation can have this name, so the schema validates the document and then runs nothing of it.
    const NO_OPERATION: &str = "-";
    guard::check_text(text, limits).map_err(|refusal| refusal.to_string())?;
    let document = async_graphql::parser::parse_query(text).map_err(|error| error.to_string())?;
    guard::check_document(&document, &Variables::default(), limits).map_err(|refusal| refusal.to_string())?;
    let mut request = Request::new(text).operation_name(NO_OPERATION);
    request.set_parsed_query(document);
    let errors = schema.execute(request).await.errors;
    let fault = errors.into_iter().find(|error| !error.message.starts_with("Unknown operation named"));
    fault.map_or(Ok(()), |fault| Err(fault.message))
}

/// All documents that this process knows.
#[derive(Debug)]
pub struct PersistedDocuments {
    settings: Documents,
    automatic: Mutex<Automatic>,
}

#[derive(Debug, Default)]
struct Automatic {
    shelves: HashMap<i64, DocumentCache>,
    bytes: usize,
}

/// The documents of one client, the one that was used last at the end.
#[derive(Debug)]
struct DocumentCache {
    documents: VecDeque<(Hash, Arc<str>)>,
    used: Instant,
}

/// How long a client's documents are kept where another needs the room.
const IDLE: Duration = Duration::from_secs(600);

impl PersistedDocuments {
    /// With the stored documents, and none that clients registered.
    pub fn new(settings: Documents) -> Self {
        Self { settings, automatic: Mutex::default() }
    }

    /// The text that a client means, by a hash, a text or both.
    ///
    /// # Errors
    /// The hash is not known, is not the text's, or only stored documents run.
    pub fn find(&self, client: i64, hash: Option<Hash>, text: Option<&str>) -> Result<Arc<str>, Code> {
        let known =
            |hash: &Hash| self.settings.stored.as_ref().and_then(|stored| stored.0.get(hash)).cloned();
        let (hash, text) = match (hash, text) {
            (None, None) => return Err(Code::BadRequest),
            (None, Some(text)) if !self.settings.stored_only => return Ok(text.into()),
            (None, Some(text)) => (hash_of(text), None),
            (Some(hash), Some(text)) if hash_of(text) != hash => return Err(Code::PersistedQueryMismatch),
            (Some(hash), text) => (hash, text),
        };
        match (known(&hash), text) {
            (Some(stored), _) => Ok(stored),
            _ if self.settings.stored_only => Err(Code::StoredDocumentsOnly),
            (None, Some(text)) => Ok(text.into()),
            (None, None) => self.automatic_of(client, &hash).ok_or(Code::PersistedQueryNotFound),
        }
    }

    fn automatic_of(&self, client: i64, hash: &Hash) -> Option<Arc<str>> {
        let mut automatic = self.automatic.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = automatic.shelves.get_mut(&client)?;
        let place = shelf.documents.iter().position(|(known, _)| known == hash)?;
        let document = shelf.documents.remove(place)?;
        shelf.used = Instant::now();
        shelf.documents.push_back(document);
        shelf.documents.back().map(|(_, text)| Arc::clone(text))
    }

    /// Remembers a document for the client that sent it together with its hash, once the guards have let it pass.
    /// Where there is no room it is not remembered, and the client sends it again.
    pub fn remember(&self, client: i64, hash: Hash, text: &Arc<str>, now: Instant) {
        let Documents { automatic: per_client, automatic_bytes, .. } = self.settings;
        if per_client == 0 || self.automatic_of(client, &hash).is_some() {
            return;
        }
        let mut automatic = self.automatic.lock().unwrap_or_else(PoisonError::into_inner);
        if automatic.bytes + text.len() > automatic_bytes {
            automatic.shelves.retain(|_, shelf| now.duration_since(shelf.used) < IDLE);
            let texts = automatic.shelves.values().flat_map(|shelf| &shelf.documents);
            automatic.bytes = texts.map(|(_, text)| text.len()).sum();
        }
        let Automatic { shelves, bytes } = &mut *automatic;
        let shelf =
            shelves.entry(client).or_insert_with(|| DocumentCache { documents: VecDeque::new(), used: now });
        shelf.used = now;
        let others = *bytes - shelf.documents.iter().map(|(_, text)| text.len()).sum::<usize>();
        if others + text.len() > automatic_bytes {
            return;
        }
        // Only its own documents make room for a client's new one.
        while shelf.documents.len() >= per_client || *bytes + text.len() > automatic_bytes {
            let Some((_, oldest)) = shelf.documents.pop_front() else { return };
            *bytes -= oldest.len();
        }
        *bytes += text.len();
        shelf.documents.push_back((hash, Arc::clone(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::settings::Settings;

    fn library(automatic: usize, automatic_bytes: usize) -> PersistedDocuments {
        PersistedDocuments::new(Documents { automatic, automatic_bytes, ..Settings::default().documents })
    }

    fn remember(library: &PersistedDocuments, client: i64, text: &str) -> Hash {
        library.remember(client, hash_of(text), &text.into(), Instant::now());
        hash_of(text)
    }

    #[test]
    fn a_hash_is_sixty_four_hexadecimal_digits() {
        let digits = "0aF9".repeat(16);
        assert_eq!(read_hash(&digits).unwrap()[..2], [0x0a, 0xf9]);
        assert_eq!(read_hash(&format!("sha256:{digits}")), read_hash(&digits));
        for bad in ["", "0a", &"0g".repeat(32), &"0a".repeat(33), &"é".repeat(32), &format!("md5:{digits}")]
        {
            assert_eq!(read_hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_client_finds_its_own_documents_and_nobody_elses() {
        let library = library(10, 1_000);
        let hash = remember(&library, 1, "{a}");
        assert_eq!(library.find(1, Some(hash), None).as_deref(), Ok("{a}"));
        assert_eq!(library.find(2, Some(hash), None), Err(Code::PersistedQueryNotFound));
        assert_eq!(library.find(1, Some(hash), Some("{b}")), Err(Code::PersistedQueryMismatch));
    }

    #[test]
    fn the_one_that_was_not_used_for_longest_makes_room() {
        let library = library(2, 1_000);
        let (a, b) = (remember(&library, 1, "{a}"), remember(&library, 1, "{b}"));
        assert!(library.find(1, Some(a), None).is_ok());
        let c = remember(&library, 1, "{c}");
        let known = [a, b, c].map(|hash| library.find(1, Some(hash), None).is_ok());
        assert_eq!(known, [true, false, true]);
    }

    #[test]
    fn a_client_pushes_out_no_documents_but_its_own_and_those_of_the_idle() {
        let library = library(10, 7);
        let a = remember(&library, 1, "{a}");
        let (b, c) = (remember(&library, 2, "{b}"), remember(&library, 2, "{c}"));
        let known = |client, hash| library.find(client, Some(hash), None).is_ok();
        assert_eq!((known(1, a), known(2, b), known(2, c)), (true, false, true));
        // A third finds no room, until the others have been idle.
        let d = remember(&library, 3, "{dd}");
        assert!(!known(3, d) && known(1, a));
        library.remember(3, d, &"{dd}".into(), Instant::now() + IDLE);
        assert!(known(3, d) && !known(1, a));
    }

    #[tokio::test]
    async fn a_manifest_is_checked_whole_before_anything_is_served() {
        let schema = crate::graphql::schema();
        let read = async |texts: &[&str]| {
            let names = texts.iter().map(|text| {
                let name: String = hash_of(text).iter().map(|byte| format!("{byte:02x}")).collect();
                (name, *text)
            });
            let json = serde_json::to_vec(&names.collect::<HashMap<_, _>>()).unwrap();
            StoredDocuments::read(&json, &schema, &Limits::default()).await
        };
        let good = "query A($id: ID!) { node(id: $id) { id } } query B { viewer { role } }";
        assert_eq!(read(&[good, "{ viewer { name } }"]).await.unwrap().count(), 2);
        for bad in
            ["{", "{ nothing }", "{ viewer { name(x: 1) } }", &format!("{{ {} }}", "a:viewer ".repeat(31))]
        {
            let error = read(&[good, bad]).await.unwrap_err();
            let BadManifest::Refused { name, .. } = &error else { panic!("{error}") };
            assert_eq!(read_hash(name), Some(hash_of(bad)), "{error}");
        }
        for (json, is_shape) in
            [("[]", true), ("{\"a\":7}", true), ("{\"a\":\"{ viewer { name } }\"}", false)]
        {
            let error =
                StoredDocuments::read(json.as_bytes(), &schema, &Limits::default()).await.unwrap_err();
            assert_eq!(matches!(error, BadManifest::Shape), is_shape, "{json}");
        }
    }
}
