//! What TAXII 2.1 says: which documents there are and how pages follow one another.

use serde::Deserialize;
use serde_json::Value;

use super::client::{Answer, Client};
use super::{Collection, FetchError};

#[derive(Deserialize)]
struct Root {
    /// Of a discovery document.
    #[serde(default)]
    api_roots: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Collections {
    #[serde(default)]
    collections: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    title: String,
    alias: Option<String>,
    #[serde(default)]
    can_read: bool,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    more: bool,
    next: Option<String>,
    #[serde(default)]
    objects: Vec<Value>,
}

/// Every collection of every API root.
pub(super) fn collections(client: &Client<'_>, url: &str) -> Result<Vec<Collection>, FetchError> {
    let url = with_slash(url);
    let root: Root = parse(&url, &client.get(&url, &[])?)?;
    let roots = match root.api_roots {
        None => vec![url],
        Some(roots) if roots.len() > MAX_ROOTS => return Err(wrong(&url, "too many API roots")),
        Some(roots) => roots.iter().map(|root| with_slash(&resolve(&url, root))).collect(),
    };
    let mut all = Vec::new();
    for api_root in roots {
        let url = format!("{api_root}collections/");
        let listed: Collections = parse(&url, &client.get(&url, &[])?)?;
        for Listed { id, title, alias, can_read } in listed.collections {
            if all.len() == MAX_COLLECTIONS {
                return Err(wrong(&url, "too many collections"));
            }
            all.push(Collection { api_root: api_root.clone(), id, title, alias, can_read });
        }
    }
    Ok(all)
}

/// Hands over every page of objects added after `since`; the time that the next fetch is to begin after.
pub(super) fn objects(
    client: &Client<'_>,
    url: &str,
    since: Option<String>,
    page_objects: u32,
    mut page: impl FnMut(&[Value]) -> Result<(), FetchError>,
) -> Result<Option<String>, FetchError> {
    let limit = page_objects.to_string();
    let (mut after, mut next) = (since, None::<String>);
    let (mut newest, mut last_body) = (None, Vec::new());
    for _ in 0..MAX_PAGES {
        let mut query = vec![("limit", limit.as_str())];
        query.extend(after.as_deref().map(|after| ("added_after", after)));
        query.extend(next.as_deref().map(|next| ("next", next)));
        let answer = client.get(url, &query)?;
        let envelope: Envelope = parse(url, &answer)?;
        page(&envelope.objects)?;
        newest = answer.added_last.or(newest);
        if !envelope.more {
            return Ok(newest);
        }
        let before = std::mem::replace(&mut last_body, answer.body);
        match envelope.next {
            // The same token alone is no circle: servers that remember how far they are use one for all pages.
            Some(token) if next.as_ref() == Some(&token) && last_body == before => {
                return Err(wrong(url, "the same page is next for ever"));
            }
            Some(token) => next = Some(token),
            None if newest.is_none() || newest == after => {
                return Err(wrong(url, "there is more, and it does not say after what"));
            }
            None => (after, next) = (newest.clone(), None),
        }
    }
    Err(wrong(url, "too many pages"))
}

fn parse<T: serde::de::DeserializeOwned>(url: &str, answer: &Answer) -> Result<T, FetchError> {
    // The error's text may quote the answer; its place is all that is told.
    serde_json::from_slice(&answer.body).map_err(|error| {
        wrong(url, &format!("not what TAXII says, at line {} column {}", error.line(), error.column()))
    })
}

fn wrong(url: &str, why: &str) -> FetchError {
    FetchError::Answer { url: url.to_owned(), why: why.to_owned() }
}

fn with_slash(url: &str) -> String {
    if url.ends_with('/') { url.to_owned() } else { format!("{url}/") }
}

/// An API root as a discovery document at `base` writes it: whole, from the host's root, or below the document.
fn resolve(base: &str, root: &str) -> String {
    if root.contains("://") {
        return root.to_owned();
    }
    let host_end = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| at + 3 + slash));
    match (root.strip_prefix('/'), host_end) {
        (Some(path), Some(end)) => format!("{}/{path}", &base[..end]),
        _ => format!("{base}{root}"),
    }
}

/// API roots, collections and pages of a server, at most: an end to what never ends.
const MAX_ROOTS: usize = 64;
const MAX_COLLECTIONS: usize = 10_000;
const MAX_PAGES: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_found_wherever_they_are() {
        let base = "https://taxii.example:8443/taxii2/";
        for (root, url) in [
            ("https://other.example/api/", "https://other.example/api/"),
            ("/api1/", "https://taxii.example:8443/api1/"),
            ("api1/", "https://taxii.example:8443/taxii2/api1/"),
        ] {
            assert_eq!(resolve(base, root), url);
        }
    }
}
