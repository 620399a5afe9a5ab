//! The command line.
use clap::{Args, Parser, Subcommand, ValueEnum};
use ikecore::policy::selector::{Flow, Prefix};
use ikecore::proposal::offer::{MainModeOffer, QuickModeOffer};
use ikedaemon::driver::select::DriverChoice;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::audit::EventChoice;
use crate::capture::CaptureArgs;
use crate::control::request::Handle;
use crate::format::Format;
use crate::link::NamedAddress;
use crate::lint::Severity;
use crate::model::{main_mode_proposal, parse_protocol, quick_mode_proposal};
use crate::monitor::arguments::MonitorArgs;
use crate::netsh::NetshArgs;
use crate::service::listen::Listen;
use crate::service::settings::Overrides;

/// IPsec Services for Linux: negotiates and installs IPsec SAs (IKEv1) as policy says.
///
/// `policyagent run` is the service; the other commands ask a running one over its control socket, or read its files.
/// Exit status: 0 done, 1 failed (the reason is on standard error), 2 the command line is wrong.
#[derive(Parser, Debug)]
#[command(name = "policyagent", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Puts all files of this instance beneath DIR: etc/policyagent, var/lib/policyagent, var/log/policyagent,
    /// run/policyagent
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the service in the foreground
    Run(RunArgs),
    /// Show SAs, negotiations, policy, driver, trace and counters of the running service
    Status,
    /// Stop the running service: deletes go to its peers, what it installed is removed
    Stop,
    /// Have the running service read its policy file again; a file with faults changes nothing
    Reload,
    /// Check a policy file and show what it is for this machine; needs no running service
    Check(CheckArgs),
    /// Show by which rule traffic is permitted, blocked or protected, and why not by the others; needs no running service
    Explain(ExplainArgs),
    /// Show which policies are assigned to this host, which of them apply, and why not the others: Resultant Set of Policy
    Rsop(RsopArgs),
    /// Negotiate a rule now and wait for the SAs
    Initiate(InitiateArgs),
    /// Delete SAs and tell the peers
    Terminate(TerminateArgs),
    /// Replace an SA by a new one now
    Rekey(RekeyArgs),
    /// Show Oakley.log, or switch it on or off
    Log(LogArgs),
    /// Show the audit: SAs that came and went, negotiations that failed, what befell the service; needs no running service
    Audit(AuditArgs),
    /// Show the packets of a capture: ISAKMP, NAT traversal, AH and ESP, by every field
    ///
    /// A damaged capture is shown as far as it goes, and the fault is named; the exit status is then 1.
    Capture(CaptureArgs),
    /// Read the policies of the directory, change and assign them
    Directory(DirectoryArgs),
    /// Make a policy document of a configuration of strongSwan or libreswan; every option without a counterpart is named
    ///
    /// Exit status: 0 everything that matters was translated; 1 failed, nothing was written; 3 written, but something that
    /// matters has no counterpart, or a connection was left out: the report says what.
    Import(ImportArgs),
    /// Edit and show policy by the commands of netsh ipsec, or by scripts of them
    Netsh(NetshArgs),
    /// Show what the service does, and how much of it: IP Security Monitor
    ///
    /// A tree of views, as Windows has them, and the last negotiations with the reason of each failure. `?` shows the keys.
    Monitor(MonitorArgs),
    /// Put in force what holds until the service has its policy, or take it away
    BootMode(BootModeArgs),
    /// Read a password from standard input and print its hash, for the users file of extended authentication
    HashPassword,
    /// Write man pages or shell completions, for packages
    #[command(hide = true)]
    Generate(GenerateArgs),
    /// Answer questions about users that come by standard input; the service starts it
    #[command(hide = true)]
    PamServe(PamArgs),
    /// Answer one question about a user
    #[command(hide = true)]
    PamCheck(PamArgs),
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// What installs SAs: `auto` takes xfrm where the kernel accepts an ESP SA, otherwise userspace [default: auto, or
    /// what the settings say]
    #[arg(long, value_name = "DRIVER", value_parser = clap::builder::PossibleValuesParser::new(DriverChoice::ALL.map(DriverChoice::name)))]
    pub(crate) driver: Option<String>,
    /// Where to listen, more than once if wanted; without a port: on 500 and 4500; fe80::1%eth0 for a link-local address
    /// [default: all addresses]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) listen: Vec<Listen>,
    /// The policy file [default: etc/policyagent/policy.toml below the root]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Write Oakley.log, the trace of every negotiation [default: off, or what the settings say]
    #[arg(long, value_enum, value_name = "on|off")]
    pub(crate) oakley_log: Option<Switch>,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The policy file [default: etc/policyagent/policy.toml below the root, or what the settings say]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Fail, with exit status 1, if there is a finding of this severity or a higher one
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub(crate) fail_on: Option<Severity>,
}

/// Arguments of `rsop`.
#[derive(Args, Debug)]
pub(crate) struct RsopArgs {
    /// Planning mode: what would apply to this computer or organisational unit of the directory, by its distinguished name
    #[arg(long, value_name = "DN")]
    pub(crate) plan: Option<String>,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The address on this side: of this host, or of one behind it. A link-local one with its interface: fe80::1%eth0
    pub(crate) local: NamedAddress,
    /// The address on the peer's side
    pub(crate) remote: NamedAddress,
    /// The protocol: a name as in filters, or a number [default: that of pings; with a port: tcp]
    #[arg(long, value_name = "PROTOCOL", value_parser = parse_protocol)]
    pub(crate) protocol: Option<u8>,
    /// The port on this side
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) local_port: u16,
    /// The port on the peer's side
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) remote_port: u16,
    /// The policy file [default: etc/policyagent/policy.toml below the root, or what the settings say]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// What the peer proposes.
    #[command(flatten)]
    pub(crate) proposal: ProposalArgs,
}

/// Arguments of `explain` about what a peer proposes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Proposals of the peer: what would be answered")]
pub(crate) struct ProposalArgs {
    /// Proposals of main mode in the peer's order: aes256-sha256-modp2048 3des-sha1-modp1024
    #[arg(long, value_name = "PROPOSAL", num_args = 1.., value_parser = main_mode_proposal)]
    pub(crate) main_mode: Vec<MainModeOffer>,
    /// Proposals of quick mode in the peer's order: aes256-sha256, aes128gcm16-ecp256 with PFS, ah-sha256; `-esn` last
    #[arg(long, value_name = "PROPOSAL", num_args = 1.., value_parser = quick_mode_proposal)]
    pub(crate) quick_mode: Vec<QuickModeOffer>,
    /// The first message of main mode, as it came: a file with its octets after the UDP header, or their hexadecimal digits
    #[arg(long, value_name = "FILE", conflicts_with = "main_mode")]
    pub(crate) packet: Option<PathBuf>,
    /// The numbers of the authentication methods with each proposal of main mode: 1 pre-shared key, 3 RSA signatures, 9 to 11
    /// ECDSA [default: all that rules for the peer have]
    #[arg(long, value_name = "NUMBER", num_args = 1.., requires = "main_mode")]
    pub(crate) by: Vec<u16>,
    /// The mode of the proposals of quick mode [default: that in which the policy has the traffic]
    #[arg(long, value_enum, requires = "quick_mode")]
    pub(crate) mode: Option<Wrapping>,
    /// Addresses on this side that quick mode is for [default: LOCAL]
    #[arg(long, value_name = "PREFIX", requires = "quick_mode", value_parser = parse_prefix)]
    pub(crate) local_net: Option<Prefix>,
    /// Addresses on the peer's side that quick mode is for [default: REMOTE]
    #[arg(long, value_name = "PREFIX", requires = "quick_mode", value_parser = parse_prefix)]
    pub(crate) remote_net: Option<Prefix>,
}

impl ProposalArgs {
    /// True if there is one.
    pub(crate) fn is_given(&self) -> bool {
        !self.main_mode.is_empty() || !self.quick_mode.is_empty() || self.packet.is_some()
    }
}

/// The mode of SAs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Wrapping {
    /// Between the two hosts
    Transport,
    /// Whole packets in others
    Tunnel,
}

fn parse_prefix(text: &str) -> Result<Prefix, String> {
    let (address, len) = text.split_once('/').map_or((text, None), |(address, len)| (address, Some(len)));
    let address: IpAddr =
        address.parse().map_err(|_| "allowed: an address, or one with the length of a prefix".to_owned())?;
    match len {
        None => Ok(Prefix::host(address)),
        Some(len) => {
            let len = len.parse().map_err(|_| format!("{len:?} is no length of a prefix"))?;
            Prefix::new(address, len).map_err(|error| error.to_string())
        }
    }
}

/// Numbers of protocols.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const ICMPV6: u8 = 58;

impl ExplainArgs {
    /// The flow that is asked about; the error says what is wrong with it.
    pub(crate) fn flow(&self) -> Result<Flow, String> {
        let resolve = |address: NamedAddress| address.resolve().map_err(|error| error.to_string());
        let (local, remote) = (resolve(self.local)?, resolve(self.remote)?);
        if local.ip().is_ipv4() != remote.ip().is_ipv4() {
            return Err(format!("{} and {} are not of one family", local.ip(), remote.ip()));
        }
        let has_ports = self.local_port != 0 || self.remote_port != 0;
        let usual = match (has_ports, local.ip().is_ipv4()) {
            (true, _) => TCP,
            (false, true) => ICMP,
            (false, false) => ICMPV6,
        };
        let protocol = self.protocol.unwrap_or(usual);
        Ok(Flow {
            local: local.ip(),
            remote: remote.ip(),
            scope: local.scope().max(remote.scope()),
            protocol,
            local_port: self.local_port,
            remote_port: self.remote_port,
        })
    }
}

/// Arguments of `initiate`.
#[derive(Args, Debug)]
pub(crate) struct InitiateArgs {
    /// The rule's name
    pub(crate) rule: String,
    /// The peer; needed where the rule's filters are for many. A link-local one with its interface: fe80::1%eth0
    #[arg(long, value_name = "ADDR")]
    pub(crate) peer: Option<NamedAddress>,
    /// How long to wait for the SAs
    #[arg(long, value_name = "SECONDS", default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) wait: u32,
}

/// Arguments of `terminate`.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct TerminateArgs {
    /// Everything with this peer; a link-local one with its interface: fe80::1%eth0
    #[arg(long, value_name = "ADDR")]
    pub(crate) peer: Option<NamedAddress>,
    /// A pair of IPsec SAs, or a soft SA, by the handle that `status` shows
    #[arg(long, value_name = "ID")]
    pub(crate) ipsec_sa: Option<Handle>,
    /// An ISAKMP SA, by the handle that `status` shows; its IPsec SAs stay
    #[arg(long, value_name = "ID")]
    pub(crate) ike_sa: Option<Handle>,
    /// Everything with everybody
    #[arg(long)]
    pub(crate) all: bool,
}

/// Arguments of `boot-mode`.
#[derive(Args, Debug)]
pub(crate) struct BootModeArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: BootModeCommand,
}

/// What is done with the boot mode.
#[derive(Subcommand, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BootModeCommand {
    /// Put it in force, as OperationMode and BootExemptions of the settings say; needs nft
    Apply,
    /// Take it away
    Lift,
    /// Tell which it is, and whether it is in force
    Show,
}

/// Arguments of `rekey`.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct RekeyArgs {
    /// An ISAKMP SA, by the handle that `status` shows
    #[arg(long, value_name = "ID")]
    pub(crate) ike_sa: Option<Handle>,
    /// A pair of IPsec SAs, by the handle that `status` shows
    #[arg(long, value_name = "ID")]
    pub(crate) ipsec_sa: Option<Handle>,
}

/// Arguments of `log`.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Go on with what is written from now on, until interrupted
    #[arg(short, long, conflicts_with_all = ["previous", "switch"])]
    pub(crate) follow: bool,
    /// Only the last N lines
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "switch")]
    pub(crate) lines: Option<usize>,
    /// The log of the service's run before: Oakley.log.sav
    #[arg(long, conflicts_with = "switch")]
    pub(crate) previous: bool,
    /// Have the running service write the log, or cease to
    #[arg(long, value_enum, value_name = "on|off")]
    pub(crate) switch: Option<Switch>,
}

/// Arguments of `audit`. Without any it shows everything that the files hold, the oldest first.
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// From then on: "2026-11-28 08:15" or 08:15 by the clocks of this place, 2026-11-28T08:15:00Z, or how long ago: 90s, 15m,
    /// 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = super::audit::time)]
    pub(crate) since: Option<SystemTime>,
    /// Until then
    #[arg(long, value_name = "TIME", value_parser = super::audit::time)]
    pub(crate) until: Option<SystemTime>,
    /// With this peer, or one of this block (10.0.0.0/8); more than once if wanted
    #[arg(long, value_name = "ADDR", value_parser = parse_prefix)]
    pub(crate) peer: Vec<Prefix>,
    /// Events of this number (547) or name (negotiation_failed); more than once if wanted
    #[arg(long, value_name = "EVENT", value_parser = EventChoice::parse)]
    pub(crate) event: Vec<EventChoice>,
    /// With these words in the message or in the name of the status, whatever the case: "no acceptable", POLICY_MATCH
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only successes
    #[arg(long, conflicts_with = "failure")]
    pub(crate) success: bool,
    /// Only failures
    #[arg(long)]
    pub(crate) failure: bool,
    /// Go on with what is written from now on, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last N of them
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<usize>,
    /// With all fields of each; JSON has them anyway
    #[arg(short, long)]
    pub(crate) details: bool,
}

/// Arguments of `directory`.
#[derive(Args, Debug)]
pub(crate) struct DirectoryArgs {
    #[command(subcommand)]
    pub(crate) what: DirectoryCommand,
}

/// What to do with the directory.
#[derive(Subcommand, Debug)]
pub(crate) enum DirectoryCommand {
    /// Show the policy that is assigned to this host, as a policy file
    Show,
    /// Show all policies of the directory, as one policy file
    Export,
    /// Make the directory hold the policies of a policy file, and no others
    Write {
        /// The policy file, as `export` prints it
        file: PathBuf,
    },
    /// Assign a policy by what the settings name, or by another object
    Assign {
        /// The policy's name
        policy: String,
        #[command(flatten)]
        by: DirectoryBy,
    },
    /// Assign no policy any more
    Unassign {
        #[command(flatten)]
        by: DirectoryBy,
    },
    /// Show which group policy objects apply to this computer, or to another place of the domain, and which one decides
    Gpos {
        /// Its distinguished name
        target: Option<String>,
    },
    /// Have the running service ask the directory now
    Poll,
    /// Ask the directory as so many hosts would at once, and show how long it takes: for sizing its servers
    Simulate {
        /// How many hosts
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        hosts: u32,
    },
}

/// What assigns a policy.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct DirectoryBy {
    /// A group policy object, by its name or its GUID in braces
    #[arg(long, value_name = "NAME|GUID")]
    pub(crate) gpo: Option<String>,
    /// The distinguished name of an assignment object
    #[arg(long, value_name = "DN")]
    pub(crate) assignment: Option<String>,
}

/// Arguments of `import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// swanctl.conf or ipsec.conf; what they include is read, too
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Whose syntax it is; auto: as the first file looks
    #[arg(long, value_enum, value_name = "SYNTAX", default_value_t = ImportSyntax::Auto)]
    pub(crate) from: ImportSyntax,
    /// A file with secrets: ipsec.secrets, or of the form of swanctl.conf
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Vec<PathBuf>,
    /// Write the document to FILE, which must not be there; its mode is 600 [default: to standard output, and the report to
    /// standard error]
    #[arg(long, value_name = "FILE", conflicts_with = "to_store")]
    pub(crate) output: Option<PathBuf>,
    /// Add what is made to the policies of a store; names that are taken there are refused
    #[arg(long, value_enum, value_name = "STORE")]
    pub(crate) to_store: Option<ImportStore>,
    /// The name of the policy that is made
    #[arg(long, value_name = "NAME", default_value = "imported")]
    pub(crate) name: String,
    /// Have the policy in force at once [default: it is there, not assigned]
    #[arg(long)]
    pub(crate) assign: bool,
    /// An address of the host whose configuration it is, by which left and right are told apart [default: the addresses of
    /// this host]
    #[arg(long, value_name = "ADDR")]
    pub(crate) host: Vec<IpAddr>,
}

/// Whose syntax is imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ImportSyntax {
    /// As the first file looks
    Auto,
    /// swanctl.conf of strongSwan
    Swanctl,
    /// ipsec.conf of strongSwan
    #[value(name = "ipsec.conf")]
    IpsecConf,
    /// ipsec.conf of libreswan
    Libreswan,
}

/// Where what is imported goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ImportStore {
    /// The local store: the policy file
    Local,
}

/// Arguments of `generate`.
#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// What to write
    #[arg(value_enum)]
    pub(crate) what: Generated,
    /// Into which directory
    pub(crate) directory: PathBuf,
}

/// Arguments of `pam-serve` and `pam-check`.
#[derive(Args, Debug)]
pub(crate) struct PamArgs {
    /// The name of the PAM service
    pub(crate) service: String,
}

/// What can be generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Generated {
    /// A man page for each command
    Man,
    /// Completions for bash, zsh and fish
    Completions,
}

impl RunArgs {
    /// What goes before the settings file.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            driver: self.driver.as_deref().and_then(|name| name.parse().ok()),
            listen: self.listen.clone(),
            policy: self.policy.clone(),
            oakley: self.oakley_log.map(|switch| switch == Switch::On),
        }
    }
}
