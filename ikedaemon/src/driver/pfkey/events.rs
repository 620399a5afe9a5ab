//! What the kernel says by itself.
use super::codec::{CodecError, ExtensionType, Message, MessageType, SaType};
use super::link::{Link, LinkError};
use super::sa::protocol;
use crate::sys::WatchedSocket;
use ikecore::sa::driver::SaName;
use nix::errno::Errno;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};

/// A word of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// An SA is needed.
    Acquire {
        /// The kernel's number of the policy.
        policy: u32,
        /// Where the SA is to begin.
        source: IpAddr,
        /// And to end.
        destination: IpAddr,
    },
    /// An SA reached a limit.
    Expire {
        /// Which.
        sa: SaName,
        /// It is gone.
        hard: bool,
    },
    /// An SPI was not used in time.
    Forget(SaName),
    /// The peer's UDP-encapsulated packets come from elsewhere.
    Mapping {
        /// The SPI of the inbound SA, as the kernel does not say its destination.
        spi: ikecore::ids::Spi,
        /// Where they come from.
        remote: SocketAddr,
    },
}

/// The socket on which the kernel speaks by itself. Requests have another, so that a flood of ACQUIREs fills only this.
pub(super) struct Events {
    link: Link,
    watch: WatchedSocket,
}

impl Events {
    /// Registers for ESP and, if there is AH, for AH; returns the answers with the algorithms (RFC 2367 §3.1.7).
    pub(super) fn open() -> Result<(Self, Message, Option<Message>), LinkError> {
        let mut link = Link::open()?;
        let esp = link.ask(MessageType::REGISTER, SaType::ESP, Vec::new())?;
        let ah = match link.ask(MessageType::REGISTER, SaType::AH, Vec::new()) {
            Ok(answer) => Some(answer),
            Err(LinkError::Refused(_)) => None,
            Err(error) => return Err(error),
        };
        let watch = link.watch()?;
        Ok((Self { link, watch }, esp, ah))
    }

    /// The next word; an error is the end.
    pub(super) fn poll_word(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Word>> {
        loop {
            let mut ready = ready!(self.watch.poll_read_ready(context))?;
            match self.link.receive() {
                Ok(Some(message)) => {
                    if let Some(word) = understand(message) {
                        return Poll::Ready(Ok(word));
                    }
                }
                Ok(None) => ready.clear_ready(),
                // Words were lost; those that follow are as good as ever.
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    tracing::warn!("driver pfkey: the kernel's messages overran the socket's buffer");
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// What a message says, if it is the kernel's own word: this socket also hears every answer to everyone.
fn understand(message: Result<Message, CodecError>) -> Option<Word> {
    let message = match message {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!("driver pfkey: a message of the kernel is passed over: {error}");
            return None;
        }
    };
    let address = |kind| message.address(kind).map(|found| found.address);
    match message.header.kind {
        MessageType::ACQUIRE if message.header.errno == 0 && message.header.process == 0 => Some(Word::Acquire {
            policy: message.policy()?.id,
            source: address(ExtensionType::ADDRESS_SRC)?.ip(),
            destination: address(ExtensionType::ADDRESS_DST)?.ip(),
        }),
        MessageType::EXPIRE => {
            let found = message.sa()?;
            let sa = SaName {
                protocol: protocol(message.header.sa_type)?,
                destination: address(ExtensionType::ADDRESS_DST)?.ip(),
                spi: found.spi,
            };
            // Without algorithms it is an SPI whose SA was not there yet; the SA may have come since, by the same name.
            if (found.integrity, found.encryption) == (0, 0) {
                return Some(Word::Forget(sa));
            }
            // The lifetime that came along is the one that was reached (RFC 2367 §3.1.8).
            Some(Word::Expire { sa, hard: message.lifetime(ExtensionType::LIFETIME_HARD).is_some() })
        }
        // The source is where the peer was, the destination where it is.
        MessageType::NEW_MAPPING => Some(Word::Mapping {
            spi: message.sa()?.spi,
            remote: SocketAddr::new(
                address(ExtensionType::ADDRESS_DST)?.ip(),
                message.nat_port(ExtensionType::NAT_DPORT)?,
            ),
        }),
        _ => None,
    }
}
