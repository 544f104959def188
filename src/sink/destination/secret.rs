//! [`Secret`]: a password, token or key, named by where it is and never written in a configuration.

use std::path::PathBuf;
use std::{env, fs};

use super::OpenError;

/// Where a secret is. `Debug` shows that, never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In a file, without the line end that it may have.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

impl Secret {
    /// Reads it.
    pub(super) fn read(&self) -> Result<String, OpenError> {
        let text = match self {
            Self::File(path) => fs::read_to_string(path).ok(),
            Self::Variable(name) => env::var(name).ok(),
        };
        let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()).filter(|text| !text.is_empty());
        text.ok_or_else(|| match self {
            Self::File(path) => OpenError::Secret(path.display().to_string()),
            Self::Variable(name) => OpenError::Secret(format!("the environment ({name})")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_where_it_is_and_never_shown() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("token");
        fs::write(&path, "hunter2 \r\n").expect("written");
        let secret = Secret::File(path.clone());
        assert_eq!(secret.read().expect("reads"), "hunter2 ");
        assert!(!format!("{secret:?}").contains("hunter"));
        fs::write(&path, "\n").expect("written");
        let error = secret.read().expect_err("empty").to_string();
        assert!(error.contains("token") && error.contains("empty"), "{error}");
        assert!(Secret::Variable("PICKET_NO_SUCH_SECRET".into()).read().is_err());
    }
}
