//! RFC 5424 messages: over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).
//!
//! Syslog has no answers: what the other side had not read when it went away is lost, and nobody can tell. So the last batch is sent again on
//! every new connection, and a connection is looked at before it is written to. Over UDP nothing is certain.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{Deliver, Fate, OpenError, TlsOptions, Trouble, all_delivered};
use crate::sink::{Format, Record};

/// A syslog receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogOptions {
    /// `host:port`.
    pub address: String,
    /// What messages are carried by.
    pub carrier: Carrier,
    /// 0 to 23; 16 is `local0`.
    pub facility: u8,
    /// `HOSTNAME` of messages; the machine's name if not given.
    pub hostname: Option<String>,
    /// `APP-NAME` of messages.
    pub app_name: String,
    /// Whose certificates are believed, over TLS.
    pub tls: TlsOptions,
    /// How long the other side may take.
    pub timeout: Duration,
    /// Longest message; longer ones are refused. A datagram over UDP is never longer than 65,507 bytes.
    pub max_message_bytes: usize,
}

/// What syslog messages are carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// One datagram a message.
    Udp,
    /// Octet counting.
    #[default]
    Tcp,
    /// The same, encrypted.
    Tls,
}

impl Default for SyslogOptions {
    fn default() -> Self {
        Self {
            address: String::new(),
            carrier: Carrier::default(),
            facility: 16,
            hostname: None,
            app_name: "picket".to_owned(),
            tls: TlsOptions::default(),
            timeout: Duration::from_secs(10),
            max_message_bytes: 64 << 10,
        }
    }
}

/// See the module.
pub(super) struct Syslog {
    options: SyslogOptions,
    /// `HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA`.
    middle: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    open: Option<Open>,
    /// What was written last, which the other side may not have read.
    last: Vec<u8>,
}

enum Open {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What fits into a datagram over IPv4.
const MAX_DATAGRAM_BYTES: usize = 65_507;

impl Syslog {
    pub(super) fn open(options: &SyslogOptions, format: &'static Format) -> Result<Self, OpenError> {
        let Some((host, _)) = options.address.rsplit_once(':') else {
            return Err(OpenError::Setting("a syslog receiver is host:port"));
        };
        if options.facility > 23 {
            return Err(OpenError::Setting("a syslog facility is 0 to 23"));
        }
        let tls = match options.carrier {
            Carrier::Udp | Carrier::Tcp => None,
            Carrier::Tls => {
                let host = options.tls.server_name.as_deref().unwrap_or(host.trim_matches(['[', ']']));
                let name = ServerName::try_from(host.to_owned());
                let name = name.map_err(|_| OpenError::Setting("a syslog receiver's host is no name"))?;
                Some((options.tls.for_socket()?, name))
            }
        };
        let machine = rustix::system::uname();
        let host = options.hostname.clone().unwrap_or_else(|| machine.nodename().to_string_lossy().into_owned());
        let [host, app] = [token(&host, 255), token(&options.app_name, 48)];
        let middle = format!("{host} {app} {} {} -", std::process::id(), token(format.name, 32));
        Ok(Self { options: options.clone(), middle, tls, open: None, last: Vec::new() })
    }

    fn connect(&mut self) -> io::Result<()> {
        let timeout = self.options.timeout;
        let mut failed = io::Error::from(io::ErrorKind::HostUnreachable);
        for address in self.options.address.to_socket_addrs()? {
            match self.connect_to(address, timeout) {
                Ok(mut open) => {
                    // What was in the last connection's buffers may be lost: twice is better than never.
                    if !self.last.is_empty() {
                        open.write(&self.last)?;
                    }
                    self.open = Some(open);
                    return Ok(());
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn connect_to(&self, address: SocketAddr, timeout: Duration) -> io::Result<Open> {
        if self.options.carrier == Carrier::Udp {
            let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            return Ok(Open::Udp(socket));
        }
        let mut socket = TcpStream::connect_timeout(&address, timeout)?;
        socket.set_read_timeout(Some(timeout))?;
        socket.set_write_timeout(Some(timeout))?;
        socket.set_nodelay(true)?;
        let Some((config, name)) = &self.tls else { return Ok(Open::Tcp(socket)) };
        let refused = |_| io::Error::from(io::ErrorKind::InvalidData);
        let mut connection = ClientConnection::new(Arc::clone(config), name.clone()).map_err(refused)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Open::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    /// `PRI VERSION TIMESTAMP` and the rest, with the record as it is.
    fn message(&self, record: &Record) -> Vec<u8> {
        let severity = match record.severity {
            90.. => 2,
            70..90 => 3,
            40..70 => 4,
            20..40 => 5,
            ..20 => 6,
        };
        let time = record.time.to_string();
        let mut head = String::new();
        // Six decimals are the most that RFC 5424 allows.
        let _ = write!(
            head,
            "<{}>1 {}Z {} ",
            u16::from(self.options.facility) * 8 + severity,
            time.get(..26).unwrap_or(time.trim_end_matches('Z')),
            self.middle
        );
        let mut message = head.into_bytes();
        message.extend_from_slice(&record.bytes);
        message
    }

    fn send(&mut self, messages: &[Vec<u8>]) -> io::Result<()> {
        if self.open.as_mut().is_some_and(Open::is_closed) {
            self.open = None;
        }
        if self.open.is_none() {
            self.connect()?;
        }
        let Some(open) = &mut self.open else { return Err(io::ErrorKind::NotConnected.into()) };
        if let Open::Udp(socket) = open {
            return messages.iter().try_for_each(|message| socket.send(message).map(drop));
        }
        let mut text = Vec::new();
        for message in messages {
            text.extend_from_slice(format!("{} ", message.len()).as_bytes());
            text.extend_from_slice(message);
        }
        open.write(&text)?;
        self.last = text;
        Ok(())
    }
}

impl Deliver for Syslog {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        let most = match self.options.carrier {
            Carrier::Udp => self.options.max_message_bytes.min(MAX_DATAGRAM_BYTES),
            Carrier::Tcp | Carrier::Tls => self.options.max_message_bytes,
        };
        let mut messages: Vec<Vec<u8>> = records.iter().map(|record| self.message(record)).collect();
        all_delivered(records, fates);
        for (fate, message) in fates.iter_mut().zip(&messages) {
            if message.len() > most {
                *fate = Fate::Refused(Trouble::word("too long for a message"));
            }
        }
        messages.retain(|message| message.len() <= most);
        if messages.is_empty() {
            return Ok(());
        }
        let sent = self.send(&messages);
        if sent.is_err() {
            self.open = None;
        }
        Ok(sent?)
    }

    fn batch(&self) -> (usize, usize) {
        (128, 128 << 10)
    }

    fn reopen(&mut self) {
        self.open = None;
    }
}

impl Open {
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(_) => Ok(()),
            Self::Tcp(socket) => socket.write_all(text),
            Self::Tls(stream) => {
                stream.write_all(text)?;
                stream.flush()
            }
        }
    }

    /// Whether the other side has ended the connection, as far as that is known here. What it says is of no interest.
    fn is_closed(&mut self) -> bool {
        let nonblocking = |socket: &TcpStream, is: bool| socket.set_nonblocking(is).is_ok();
        match self {
            Self::Udp(_) => false,
            Self::Tcp(socket) => {
                let is_closed = !nonblocking(socket, true)
                    || match socket.read(&mut [0; 512]) {
                        Ok(read) => read == 0,
                        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
                    };
                is_closed || !nonblocking(socket, false)
            }
            Self::Tls(stream) => {
                let StreamOwned { conn, sock } = &mut **stream;
                let is_closed = !nonblocking(sock, true) || has_ended(conn, sock);
                is_closed || !nonblocking(sock, false)
            }
        }
    }
}

fn has_ended(connection: &mut ClientConnection, socket: &mut TcpStream) -> bool {
    loop {
        match connection.read_tls(socket) {
            Ok(0) => return true,
            Ok(_) => match connection.process_new_packets() {
                Ok(state) if !state.peer_has_closed() => {
                    let _ = connection.reader().read(&mut [0; 512]);
                }
                _ => return true,
            },
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// A field of the header: printable ASCII without spaces, `-` for nothing.
fn token(text: &str, most: usize) -> String {
    let out: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if out.is_empty() { "-".to_owned() } else { out }
}
