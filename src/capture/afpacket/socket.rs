//! [`Socket`]: a packet socket, and the calls to the kernel that neither the standard library nor rustix has.
//!
//! Each unsafe block is one system call on values that live on the stack here. Nothing of a frame is read in this file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::program;
use crate::capture::live::Spread;

/// A packet socket. New ones are bound to nothing and receive nothing.
pub(super) struct Socket(OwnedFd);

/// An interface as the kernel describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    /// Its number; another one after it was made again under the same name.
    pub(super) index: i32,
    /// Whether it is switched on and has a link.
    pub(super) is_up: bool,
    /// What it is (`ARPHRD_..`).
    pub(super) hardware: u16,
}

/// How a ring is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of a block: a power of two, whole pages.
    pub(super) block_bytes: usize,
    /// Blocks.
    pub(super) blocks: usize,
}

/// What the kernel counted since it was asked last.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    pub(super) received: u64,
    pub(super) dropped: u64,
    pub(super) freezes: u64,
}

impl Socket {
    /// Needs CAP_NET_RAW; nothing else here does, but for [`Self::stamp_in_hardware`].
    pub(super) fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(Self(rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?))
    }

    /// Gives the socket a ring, with room before each frame for a VLAN tag.
    pub(super) fn set_ring(&self, layout: Layout) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as libc::c_int))?;
        self.set(libc::SOL_PACKET, libc::PACKET_RESERVE, &(super::walk::TAG_BYTES as libc::c_uint))?;
        let request = libc::tpacket_req3 {
            tp_block_size: layout.block_bytes as libc::c_uint,
            tp_block_nr: layout.blocks as libc::c_uint,
            tp_frame_size: FRAME_BYTES as libc::c_uint,
            tp_frame_nr: (layout.block_bytes / FRAME_BYTES * layout.blocks) as libc::c_uint,
            tp_retire_blk_tov: BLOCK_TIMEOUT_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
    }

    /// Starts to receive from an interface. One that is down is no error: it is received from once it is up.
    pub(super) fn bind(&self, index: i32) -> io::Result<()> {
        // All zero bytes are a valid address of this kind; what matters is set below.
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let bytes = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        #[expect(unsafe_code, reason = "no safe call binds a packet socket")]
        // SAFETY: `address` is a whole `sockaddr_ll` that lives until the call returns, and `bytes` is its size.
        let outcome = unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), bytes) };
        checked(outcome)
    }

    /// Has the interface pass on what is not addressed to it.
    pub(super) fn set_promiscuous(&self, index: i32) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    /// Joins the fanout group `id`, or makes one under an id that nobody else has; gives the id.
    pub(super) fn join(&self, id: Option<u16>, spread: Spread, is_loopback: bool) -> io::Result<u16> {
        let mut flags = match spread {
            Spread::Flows => libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG,
            Spread::Hosts => libc::PACKET_FANOUT_CBPF,
        };
        if is_loopback {
            flags |= libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        }
        if id.is_none() {
            flags |= libc::PACKET_FANOUT_FLAG_UNIQUEID;
        }
        let argument: libc::c_uint = u32::from(id.unwrap_or(0)) | flags << 16;
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, &argument)?;
        if spread == Spread::Hosts {
            // The group's, whoever sets it.
            self.set_program(libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, &program::by_hosts())?;
        }
        let joined: libc::c_uint = self.get(libc::SOL_PACKET, libc::PACKET_FANOUT)?;
        Ok(joined as u16)
    }

    /// Leaves out what this machine sends. Kernels before 4.20 cannot.
    pub(super) fn ignore_outgoing(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32)
    }

    /// Lets through what the program says. It replaces the one before in one step.
    pub(super) fn set_filter(&self, program: &[libc::sock_filter]) -> io::Result<()> {
        self.set_program(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
    }

    fn set_program(&self, level: libc::c_int, option: libc::c_int, program: &[libc::sock_filter]) -> io::Result<()> {
        let len = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // The kernel only reads the instructions.
        self.set(level, option, &libc::sock_fprog { len, filter: program.as_ptr().cast_mut() })
    }

    /// Has the interface stamp all frames it receives. Needs CAP_NET_ADMIN.
    pub(super) fn stamp_in_hardware(&self, name: &str) -> io::Result<()> {
        let mut config =
            libc::hwtstamp_config { flags: 0, tx_type: 0, rx_filter: libc::HWTSTAMP_FILTER_ALL as libc::c_int };
        let mut request = request(name)?;
        request.ifr_ifru.ifru_data = (&raw mut config).cast();
        self.ioctl(libc::SIOCSHWTSTAMP, &mut request)
    }

    /// Takes the interface's stamps where it has made one.
    pub(super) fn take_hardware_stamps(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_TIMESTAMP, &libc::SOF_TIMESTAMPING_RAW_HARDWARE)
    }

    /// What was received and dropped since the last call.
    pub(super) fn counted(&self) -> io::Result<Counted> {
        let [packets, dropped, freezes]: [libc::c_uint; 3] = self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
        // The kernel counts what it drops as a packet, too.
        let received = u64::from(packets.saturating_sub(dropped));
        Ok(Counted { received, dropped: u64::from(dropped), freezes: u64::from(freezes) })
    }

    /// The interface of this name, if there is one.
    pub(super) fn device(&self, name: &str) -> io::Result<Option<Device>> {
        let mut asked = request(name)?;
        match self.ioctl(libc::SIOCGIFINDEX, &mut asked) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(None),
            outcome => outcome?,
        }
        #[expect(unsafe_code, reason = "what a request holds is a union")]
        // SAFETY: the kernel filled in the index, and any bits are an integer.
        let index = unsafe { asked.ifr_ifru.ifru_ifindex };
        self.ioctl(libc::SIOCGIFFLAGS, &mut asked)?;
        #[expect(unsafe_code, reason = "what a request holds is a union")]
        // SAFETY: the kernel filled in the flags, and any bits are an integer.
        let flags = i32::from(unsafe { asked.ifr_ifru.ifru_flags });
        self.ioctl(libc::SIOCGIFHWADDR, &mut asked)?;
        #[expect(unsafe_code, reason = "what a request holds is a union")]
        // SAFETY: the kernel filled in the address, and any bits are one.
        let hardware = unsafe { asked.ifr_ifru.ifru_hwaddr.sa_family };
        let up = libc::IFF_UP | libc::IFF_RUNNING;
        Ok(Some(Device { index, is_up: flags & up == up, hardware }))
    }

    /// Takes the error that waits, so that the socket is not reported again for it.
    pub(super) fn clear_error(&self) {
        let _ = rustix::net::sockopt::socket_error(&self.0);
    }

    fn ioctl(&self, what: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
        #[expect(unsafe_code, reason = "no safe call asks for these")]
        // SAFETY: each of the requests used here reads and writes one `ifreq`, which is exclusively borrowed; what
        // `ifr_data` leads to, where it does, is a local of the caller of the size that the kernel expects.
        let outcome = unsafe { libc::ioctl(self.0.as_raw_fd(), what as _, std::ptr::from_mut(request)) };
        checked(outcome)
    }

    fn set<T: Copy>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let bytes = size_of::<T>() as libc::socklen_t;
        #[expect(unsafe_code, reason = "no safe call sets these options")]
        // SAFETY: the kernel reads `bytes` bytes of `value`, which is borrowed and that large.
        let outcome =
            unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), bytes) };
        checked(outcome)
    }

    fn get<T: Plain>(&self, level: libc::c_int, option: libc::c_int) -> io::Result<T> {
        let mut value = T::default();
        let mut bytes = size_of::<T>() as libc::socklen_t;
        #[expect(unsafe_code, reason = "no safe call gets these options")]
        // SAFETY: the kernel writes at most `bytes` bytes, the size of `value`, for which any bytes are valid.
        let outcome =
            unsafe { libc::getsockopt(self.0.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut bytes) };
        checked(outcome).map(|()| value)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What any bytes are a value of.
trait Plain: Default {}
impl Plain for libc::c_uint {}
impl Plain for [libc::c_uint; 3] {}

fn checked(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A request about the interface of this name.
fn request(name: &str) -> io::Result<libc::ifreq> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains('\0') {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    ifr_name.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte as libc::c_char);
    let address = libc::sockaddr { sa_family: 0, sa_data: [0; 14] };
    Ok(libc::ifreq { ifr_name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_hwaddr: address } })
}

/// How long the kernel keeps frames that do not fill a block.
pub(super) const BLOCK_TIMEOUT_MS: libc::c_uint = 10;

/// A unit that means nothing in rings of version 3 but has to divide a block.
const FRAME_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_interface_can_have_is_none() {
        for name in ["", "sixteen-letters-", "a\0b"] {
            assert_eq!(request(name).map(|_| ()).map_err(|error| error.raw_os_error()), Err(Some(libc::ENODEV)));
        }
        assert!(request("fifteen-letters").is_ok());
    }
}
