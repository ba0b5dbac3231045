//! Persisted documents: a client names a document by its SHA-256 and sends no text.
//!
//! *Stored* documents are an operator's: a manifest of a front end, checked at the start. *Automatic* documents are a
//! client's (Apollo's automatic persisted queries): it sends each once with its hash, and from then on this process knows
//! it for this client alone. So no client can find another's documents, or push them out.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Executor, Variables};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::catalogue::Catalogue;
use super::code::Code;
use super::guard::{Limits, check_text};
use super::numbers;
use super::parsed::{ParsedDocument, validate};
use super::request_id::ClientId;

/// The SHA-256 of a document's text.
pub type Hash = [u8; 32];

/// Which documents clients may name by their hash.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The documents of a manifest.
    pub stored: Option<Arc<StoredDocuments>>,
    /// Run nothing but stored documents.
    pub stored_only: bool,
    /// Automatic documents that one client may register. 0: none.
    pub automatic: usize,
    /// Maximum length of all automatic documents together, in bytes.
    pub automatic_bytes: usize,
}

impl Default for Documents {
    fn default() -> Self {
        Self { stored: None, stored_only: false, automatic: 100, automatic_bytes: 16 * 1024 * 1024 }
    }
}

/// The documents of a manifest.
#[derive(Debug)]
pub struct StoredDocuments(HashMap<Hash, Arc<str>>);

/// A manifest that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// Its JSON has the wrong shape.
    #[error("it is not a JSON object of SHA-256 to text")]
    Shape,
    /// A name is not the hash of its text.
    #[error("the document {0} has another SHA-256 than its name")]
    Hash(String),
    /// A document that the endpoint would refuse.
    #[error("the document {name} is refused: {reason}")]
    Refused {
        /// Its hash as the manifest has it.
        name: String,
        /// The message of the refusal.
        reason: String,
    },
}

/// Reads 64 hexadecimal digits, with or without `sha256:` before them.
pub fn read_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text.strip_prefix("sha256:").unwrap_or(text), &mut hash).ok()?;
    Some(hash)
}

fn hash_of(text: &str) -> Hash {
    Sha256::digest(text).into()
}

impl StoredDocuments {
    /// Reads a manifest, and checks each document against the limits and the schema.
    ///
    /// # Errors
    /// It cannot be read, or one of its documents could never run.
    pub async fn read<E: Executor>(
        json: &[u8],
        schema: &E,
        catalogue: &Catalogue,
        limits: &Limits,
    ) -> Result<Self, BadManifest> {
        let texts: HashMap<String, String> = serde_json::from_slice(json).map_err(|_| BadManifest::Shape)?;
        let mut documents = HashMap::with_capacity(texts.len());
        for (name, text) in texts {
            let hash = read_hash(&name).filter(|hash| *hash == hash_of(&text));
            let hash = hash.ok_or_else(|| BadManifest::Hash(name.clone()))?;
            if let Err(reason) = check(&text, schema, catalogue, limits).await {
                return Err(BadManifest::Refused { name, reason });
            }
            documents.insert(hash, text.into());
        }
        Ok(Self(documents))
    }

    /// Returns the names of their operations, each once.
    pub fn operations(&self) -> BTreeSet<String> {
        let documents = self.0.values().filter_map(|text| async_graphql::parser::parse_query(text).ok());
        let names = documents.flat_map(|document| {
            document
                .operations
                .iter()
                .filter_map(|(name, _)| name.map(ToString::to_string))
                .collect::<Vec<_>>()
        });
        names.collect()
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Checks that a document would run, given its variables.
async fn check<E: Executor>(
    text: &str,
    schema: &E,
    catalogue: &Catalogue,
    limits: &Limits,
) -> Result<(), String> {
    check_text(text, limits).map_err(|refusal| refusal.to_string())?;
    let mut document = async_graphql::parser::parse_query(text).map_err(|error| error.to_string())?;
    numbers::make_whole(&mut document);
    let document = ParsedDocument::new(document, &Variables::default(), catalogue, limits);
    let document = document.map_err(|refusal| refusal.to_string())?;
    let fault = validate(schema, document.document().clone()).await.into_iter().next();
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
    caches: HashMap<Option<ClientId>, DocumentCache>,
    bytes: usize,
}

/// The documents of one client, the least recently used first.
#[derive(Debug)]
struct DocumentCache {
    documents: VecDeque<(Hash, Arc<str>)>,
    used: Instant,
}

/// Time after which a client's documents make room for another's.
const IDLE: Duration = Duration::from_secs(600);

impl PersistedDocuments {
    /// Creates the set with the stored documents and no automatic ones.
    pub fn new(settings: Documents) -> Self {
        Self { settings, automatic: Mutex::default() }
    }

    /// Returns the text that a client means by a hash, a text or both.
    ///
    /// # Errors
    /// There is neither, the hash is unknown or not the text's, or only stored documents run.
    pub fn find(
        &self,
        client: Option<ClientId>,
        hash: Option<Hash>,
        text: Option<&str>,
    ) -> Result<Arc<str>, Code> {
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

    fn automatic_of(&self, client: Option<ClientId>, hash: &Hash) -> Option<Arc<str>> {
        let mut automatic = self.automatic.lock();
        let cache = automatic.caches.get_mut(&client)?;
        let place = cache.documents.iter().position(|(known, _)| known == hash)?;
        let document = cache.documents.remove(place)?;
        cache.used = Instant::now();
        cache.documents.push_back(document);
        cache.documents.back().map(|(_, text)| Arc::clone(text))
    }

    /// Remembers a document for the client that sent it with its hash, once it has passed the limits. Where there is no
    /// room, the client has to send it again.
    pub fn remember(&self, client: Option<ClientId>, hash: Hash, text: &Arc<str>, now: Instant) {
        let Documents { automatic: per_client, automatic_bytes, .. } = self.settings;
        if per_client == 0 || self.automatic_of(client, &hash).is_some() {
            return;
        }
        let mut automatic = self.automatic.lock();
        if automatic.bytes + text.len() > automatic_bytes {
            automatic.caches.retain(|_, cache| now.duration_since(cache.used) < IDLE);
            let texts = automatic.caches.values().flat_map(|cache| &cache.documents);
            automatic.bytes = texts.map(|(_, text)| text.len()).sum();
        }
        let Automatic { caches, bytes } = &mut *automatic;
        let cache =
            caches.entry(client).or_insert_with(|| DocumentCache { documents: VecDeque::new(), used: now });
        cache.used = now;
        let others = *bytes - cache.documents.iter().map(|(_, text)| text.len()).sum::<usize>();
        if others + text.len() > automatic_bytes {
            return;
        }
        // Only its own documents make room for a client's new one.
        while cache.documents.len() >= per_client || *bytes + text.len() > automatic_bytes {
            let Some((_, oldest)) = cache.documents.pop_front() else { return };
            *bytes -= oldest.len();
        }
        *bytes += text.len();
        cache.documents.push_back((hash, Arc::clone(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

    use crate::catalogue::{PageSizes, Rules};

    struct Query;

    #[Object]
    impl Query {
        async fn name(&self) -> &str {
            "name"
        }
        async fn node(&self, id: async_graphql::ID) -> async_graphql::ID {
            id
        }
    }

    fn documents(automatic: usize, automatic_bytes: usize) -> PersistedDocuments {
        PersistedDocuments::new(Documents { automatic, automatic_bytes, ..Documents::default() })
    }

    fn remember(documents: &PersistedDocuments, client: i64, text: &str) -> Hash {
        documents.remember(Some(ClientId(client)), hash_of(text), &text.into(), Instant::now());
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
    fn a_client_finds_its_own_documents_and_no_others() {
        let documents = documents(10, 1_000);
        let hash = remember(&documents, 1, "{a}");
        assert_eq!(documents.find(Some(ClientId(1)), Some(hash), None).as_deref(), Ok("{a}"));
        assert_eq!(documents.find(Some(ClientId(2)), Some(hash), None), Err(Code::PersistedQueryNotFound));
        assert_eq!(
            documents.find(Some(ClientId(1)), Some(hash), Some("{b}")),
            Err(Code::PersistedQueryMismatch)
        );
    }

    #[test]
    fn the_least_recently_used_document_makes_room() {
        let documents = documents(2, 1_000);
        let (a, b) = (remember(&documents, 1, "{a}"), remember(&documents, 1, "{b}"));
        assert!(documents.find(Some(ClientId(1)), Some(a), None).is_ok());
        let c = remember(&documents, 1, "{c}");
        let known = [a, b, c].map(|hash| documents.find(Some(ClientId(1)), Some(hash), None).is_ok());
        assert_eq!(known, [true, false, true]);
    }

    #[test]
    fn a_client_pushes_out_its_own_documents_and_those_of_idle_clients() {
        let documents = documents(10, 7);
        let a = remember(&documents, 1, "{a}");
        let (b, c) = (remember(&documents, 2, "{b}"), remember(&documents, 2, "{c}"));
        let known = |client, hash| documents.find(Some(ClientId(client)), Some(hash), None).is_ok();
        assert_eq!((known(1, a), known(2, b), known(2, c)), (true, false, true));
        // A third finds no room, until the others have been idle.
        let d = remember(&documents, 3, "{dd}");
        assert!(!known(3, d) && known(1, a));
        documents.remember(Some(ClientId(3)), d, &"{dd}".into(), Instant::now() + IDLE);
        assert!(known(3, d) && !known(1, a));
    }

    #[tokio::test]
    async fn every_document_of_a_manifest_is_checked() {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let pages = PageSizes { default: 20, maximum: 100 };
        let catalogue = Catalogue::new(&schema.sdl(), pages, &[Rules::NONE]).unwrap();
        let read = async |texts: &[&str]| {
            let names = texts.iter().map(|text| {
                let name = hex::encode(hash_of(text));
                (name, *text)
            });
            let json = serde_json::to_vec(&names.collect::<HashMap<_, _>>()).unwrap();
            StoredDocuments::read(&json, &schema, &catalogue, &Limits::default()).await
        };
        let good = "query A($id: ID!) { node(id: $id) } query B { name }";
        assert_eq!(read(&[good, "{ name }"]).await.unwrap().count(), 2);
        for bad in ["{", "{ nothing }", "{ name(x: 1) }", &format!("{{ {} }}", "a:name ".repeat(31))] {
            let error = read(&[good, bad]).await.unwrap_err();
            let BadManifest::Refused { name, .. } = &error else { panic!("{error}") };
            assert_eq!(read_hash(name), Some(hash_of(bad)), "{error}");
        }
        for (json, is_shape) in [("[]", true), ("{\"a\":7}", true), ("{\"a\":\"{ name }\"}", false)] {
            let error = StoredDocuments::read(json.as_bytes(), &schema, &catalogue, &Limits::default())
                .await
                .unwrap_err();
            assert_eq!(matches!(error, BadManifest::Shape), is_shape, "{json}");
        }
    }
}
