//! Boot modes: what becomes of traffic from the start of the host until the service has its policy in force.
//!
//! The kernel's packet filter carries them, in a table of its own, by the program `nft`: unlike XFRM policies it can tell
//! answers from what begins, and it holds whether or not the kernel has IPsec. The table stands until the service takes it
//! away, once the driver holds to its policy; so there is no gap, and a service that does not start leaves it as it is.
mod rules;

pub(crate) use rules::ruleset;

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use crate::model::parse_protocol;

/// The table of the packet filter that carries the boot mode.
pub(crate) const TABLE: &str = "policyagent_boot";

/// The program that writes the rules of the packet filter.
const NFT: &str = "nft";

/// What becomes of traffic before the service has a policy in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OperationMode {
    /// It passes.
    Permit,
    /// It is dropped, but for exemptions.
    Block,
    /// What goes out passes, and what answers it.
    Stateful,
}

impl OperationMode {
    /// By their names and by their numbers in the registry of Windows.
    pub(crate) const ALL: [(&'static str, u32, Self); 3] =
        [("permit", 0, Self::Permit), ("block", 1, Self::Block), ("stateful", 3, Self::Stateful)];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Block => "block",
            Self::Stateful => "stateful",
        }
    }
}

/// Traffic that passes in boot mode: `Protocol:SourcePort:DestinationPort:Direction`, of protocols without ports
/// `Protocol:Direction`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BootExemption {
    /// The IP protocol number; 0 is any.
    pub(crate) protocol: u8,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
    /// It comes in.
    pub(crate) inbound: bool,
}

/// What is allowed as one.
pub(crate) const EXEMPTION: &str = "PROTOCOL:SOURCE-PORT:DESTINATION-PORT:DIRECTION with TCP and UDP, otherwise PROTOCOL:DIRECTION; a port of 0 \
                         is any, DIRECTION is inbound or outbound (\"TCP:0:22:inbound\", \"ICMP:inbound\")";

impl BootExemption {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(':').collect();
        let (protocol, ports, direction) = match words.as_slice() {
            [protocol, source, destination, direction] => (protocol, Some((source, destination)), direction),
            [protocol, direction] => (protocol, None, direction),
            _ => return None,
        };
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "raw" => 255,
            name => parse_protocol(name).ok()?,
        };
        let (source_port, destination_port) = match (ports, protocol) {
            (Some((source, destination)), 6 | 17) => (source.parse().ok()?, destination.parse().ok()?),
            (None, protocol) if !matches!(protocol, 6 | 17) => (0, 0),
            _ => return None,
        };
        let inbound = match direction.to_ascii_lowercase().as_str() {
            "inbound" => true,
            "outbound" => false,
            _ => return None,
        };
        Some(Self { protocol, source_port, destination_port, inbound })
    }
}

/// The packet filter does not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    /// There is no program for it.
    #[error("boot modes need the program nft (package nftables), which is not there")]
    NoProgram,
    /// It cannot be run.
    #[error("nft: {0}")]
    Program(#[from] io::Error),
    /// It refuses.
    #[error("nft refuses: {0}")]
    Refused(String),
}

/// Puts a mode in force, in place of what is so far.
pub(crate) fn apply(mode: OperationMode, exemptions: &[BootExemption]) -> Result<(), BootError> {
    if mode == OperationMode::Permit {
        return lift().map(drop);
    }
    run(&["-f", "-"], &ruleset(mode, exemptions)).map(drop)
}

/// Takes the boot mode away; false if none was in force.
pub(crate) fn lift() -> Result<bool, BootError> {
    if in_force()?.is_none() {
        return Ok(false);
    }
    run(&["delete", "table", "inet", TABLE], "").map(|_| true)
}

/// The rules in force, if a boot mode is. Where there is no nft there is none.
pub(crate) fn in_force() -> Result<Option<String>, BootError> {
    match run(&["list", "table", "inet", TABLE], "") {
        Ok(rules) => Ok(Some(rules)),
        Err(BootError::NoProgram) => Ok(None),
        // There is no such table, or the kernel can have none at all.
        Err(BootError::Refused(why))
            if ["No such file", "not supported", "Invalid argument"].iter().any(|part| why.contains(part)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Runs nft, and gives what it says.
fn run(arguments: &[&str], input: &str) -> Result<String, BootError> {
    let mut command = Command::new(NFT);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BootError::NoProgram,
        _ => BootError::Program(error),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // It has ended before, and says why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let output = child.wait_with_output()?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(BootError::Refused(text(&output.stderr))) }
}
