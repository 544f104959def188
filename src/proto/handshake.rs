//! Handshake messages of TLS and DTLS up to 1.2 and the first ones of 1.3, whatever carries them: which are of interest,
//! and what is seen of each.
//!
//! - ClientHello: [`client_hello`].
//! - ServerHello: [`server_hello`].
//! - Certificate, of either side: [`certificates`]. TLS 1.3 encrypts it.
//!
//! A side that has sent its Certificate, or something that takes its place, has nothing more to say.

use super::client_hello::{self, Carrier};
use super::{certificates, server_hello};
use crate::indicator::kind::{CERTIFICATE, DOMAIN, IPV4, IPV6, ISSUER, JA3S, SERIAL, SUBJECT};
use crate::indicator::{Seen, Wants};

/// Which end of a handshake sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Role {
    /// Nothing was seen that says.
    #[default]
    Unknown,
    Client,
    Server,
}

/// What is known of one side's handshake.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Which end it is.
    pub(super) role: Role,
    /// Its hello was seen: only now may a ChangeCipherSpec follow.
    pub(super) has_hello: bool,
    /// A ChangeCipherSpec was seen: what follows is encrypted, or another hello of the same side.
    pub(super) is_changed: bool,
    /// It will show nothing more.
    pub(super) is_done: bool,
}

/// What a message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Read.
    Read,
    /// Read, but something in it could not be: to be counted.
    Partly(&'static str),
    /// Not that message after all; fingerprints and what follows cannot be trusted.
    Malformed(&'static str),
}

impl Side {
    /// Whether the side may still show something in a message of this type.
    pub(super) fn wants(&self, kind: u8, wants: &Wants) -> bool {
        match kind {
            CLIENT_HELLO => self.role != Role::Server,
            SERVER_HELLO => self.role != Role::Client && is_wanted(wants),
            CERTIFICATE_MESSAGE | SUPPLEMENTAL_DATA => !self.is_changed && is_wanted(wants),
            _ => false,
        }
    }

    /// Shows what a whole message holds.
    pub(super) fn message(
        &mut self,
        kind: u8,
        body: &[u8],
        carrier: Carrier,
        wants: &Wants,
        seen: Seen<'_>,
    ) -> Outcome {
        match kind {
            CLIENT_HELLO => {
                (self.role, self.has_hello) = (Role::Client, true);
                match client_hello::show(body, carrier, wants, seen) {
                    Ok(shown) if shown.is_outer => Outcome::Partly("encrypted_client_hello"),
                    Ok(_) => Outcome::Read,
                    Err(reason) => Outcome::Malformed(reason),
                }
            }
            SERVER_HELLO => {
                (self.role, self.has_hello) = (Role::Server, true);
                match server_hello::show(body, wants, seen) {
                    Ok(next) => {
                        self.is_done = next == server_hello::Next::Sealed;
                        Outcome::Read
                    }
                    Err(reason) => Outcome::Malformed(reason),
                }
            }
            CERTIFICATE_MESSAGE => {
                self.is_done = true;
                certificates::show(body, self.role, wants, seen).map_or_else(Outcome::Partly, |()| Outcome::Read)
            }
            _ => Outcome::Read,
        }
    }

    /// Shows what is whole of a message that ends too early.
    pub(super) fn cut_message(&self, kind: u8, body: &[u8], carrier: Carrier, wants: &Wants, seen: Seen<'_>) {
        match kind {
            CLIENT_HELLO => client_hello::show_cut(body, carrier, seen),
            CERTIFICATE_MESSAGE if is_wanted(wants) => certificates::show_cut(body, self.role, wants, seen),
            _ => {}
        }
    }
}

/// Whether anything that is shown of a ServerHello or a certificate is looked for.
fn is_wanted(wants: &Wants) -> bool {
    [&DOMAIN, &CERTIFICATE, &JA3S, &SUBJECT, &ISSUER, &SERIAL, &IPV4, &IPV6].into_iter().any(|kind| wants.kind(kind))
}

/// Type of the ClientHello message (RFC 8446 section 4).
pub(super) const CLIENT_HELLO: u8 = 1;
/// Type of the ServerHello message.
pub(super) const SERVER_HELLO: u8 = 2;
/// Type of the Certificate message.
pub(super) const CERTIFICATE_MESSAGE: u8 = 11;
/// Type of the SupplementalData message (RFC 4680), which may come before Certificate.
const SUPPLEMENTAL_DATA: u8 = 23;

/// Longest hello taken: post-quantum key shares of several groups, an encrypted inner hello and padding stay below.
const MAX_HELLO_BYTES: usize = 32 * 1024;

/// Longest chain taken: chains in use have 2 to 20 KiB.
pub(super) const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Longest message of this type that is taken, and what to say of a longer one.
pub(super) fn limit(kind: u8) -> (usize, &'static str) {
    match kind {
        CLIENT_HELLO => (MAX_HELLO_BYTES, "TLS ClientHello too long"),
        SERVER_HELLO => (MAX_HELLO_BYTES, "TLS ServerHello too long"),
        _ => (MAX_MESSAGE_BYTES, "TLS Certificate message too long"),
    }
}
