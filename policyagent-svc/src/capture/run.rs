//! `policyagent capture`: frames in, packets shown.
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ikedaemon::sinks::keylog::{KeyLog, KeyLogError, read};

use super::dissect::Dissector;
use super::file::{Frame, ReadError, Reader, Timestamp, Writer};
use super::filter::Filter;
use super::live::{Live, LiveError};
use super::view::{self, Seen};
use crate::format::Format;

/// Arguments of `capture`.
#[derive(Args, Debug)]
pub(crate) struct CaptureArgs {
    /// A capture in the form of pcap or pcapng; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "interface")]
    pub(crate) file: Option<PathBuf>,
    /// Capture what comes and goes by an interface, or by `any` of them, until interrupted; needs CAP_NET_RAW
    #[arg(short, long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) interface: Option<String>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", requires = "interface")]
    pub(crate) duration: Option<u64>,
    /// Show only what fits: peer ADDR[/LEN], source, destination, port, cookie HEX, spi HEX, exchange NAME, message-id HEX,
    /// payload NAME, notify NAME, vendor TEXT, protocol NAME, encrypted, fault; with and, or, not, parentheses
    #[arg(short = 'Y', long, value_name = "FILTER")]
    pub(crate) filter: Option<Filter>,
    /// How packets are shown; with --format json every packet is an object on a line of its own with all fields
    #[arg(long, value_enum, value_name = "VIEW", default_value_t = View::Summary)]
    pub(crate) view: View,
    /// Show also what has nothing to do with IPsec
    #[arg(long)]
    pub(crate) all: bool,
    /// Write what is shown to FILE, too, as pcapng; FILE must not be there, and its mode is 600
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Decrypt with the keys in the tables ikev1_decryption_table and esp_sa in DIR, as the service's key log and Wireshark
    /// write them
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// Write the keys that were of use into such tables in DIR, which serves Wireshark as its configuration directory
    #[arg(long, value_name = "DIR", requires = "keys")]
    pub(crate) export_keys: Option<PathBuf>,
    /// End when N packets have been shown
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// How packets are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum View {
    /// A line each
    Summary,
    /// Every layer and field by name
    Tree,
    /// The tree, and all octets
    Hex,
}

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
enum CaptureError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{path}: {error}")]
    Read { path: PathBuf, error: ReadError },
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(transparent)]
    Keys(#[from] read::ReadError),
    #[error(transparent)]
    Export(#[from] KeyLogError),
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// Shows a capture.
pub(crate) fn run(arguments: &CaptureArgs, format: Format) -> ExitCode {
    let mut shown =
        Shown { arguments, format, output: io::stdout().lock(), read: 0, count: 0, start: None, written: None };
    match shown.all() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough.
        Err(CaptureError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            if format == Format::Json {
                let _ = writeln!(shown.output, "{}", serde_json::json!({ "error": error.to_string() }));
            }
            eprintln!("policyagent: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is shown so far.
struct Shown<'a, W> {
    arguments: &'a CaptureArgs,
    format: Format,
    output: W,
    /// Frames that were read.
    read: u64,
    /// Packets that were shown.
    count: u64,
    start: Option<Timestamp>,
    written: Option<Writer<File>>,
}

/// Where frames come from.
enum Source<'a> {
    /// A file, or standard input.
    File(&'a Path, Reader),
    /// Interfaces of this host.
    Live(Box<Live>),
}

impl<'a> Source<'a> {
    fn open(arguments: &'a CaptureArgs) -> Result<Self, CaptureError> {
        let CaptureArgs { file, interface, duration, all, .. } = arguments;
        let path = file.as_deref().unwrap_or_else(|| Path::new("-"));
        if let Some(interface) = interface {
            let live = Live::open(interface, *all, duration.map(Duration::from_secs))?;
            eprintln!("capturing on {interface}");
            return Ok(Self::Live(Box::new(live)));
        }
        let reader = if path == Path::new("-") {
            Reader::new(io::stdin())
        } else {
            let file = File::open(path).map_err(|error| CaptureError::File { path: path.to_owned(), error })?;
            Reader::new(file)
        };
        reader
            .map(|reader| Self::File(path, reader))
            .map_err(|error| CaptureError::Read { path: path.to_owned(), error })
    }

    fn next(&mut self) -> Option<Result<Frame, CaptureError>> {
        match self {
            Self::File(path, reader) => {
                let frame = reader.next()?;
                Some(frame.map_err(|error| CaptureError::Read { path: path.to_path_buf(), error }))
            }
            Self::Live(live) => live.next().map(|frame| frame.map_err(CaptureError::Live)),
        }
    }
}

/// Begins a capture in a file of its own.
fn create(path: &Path) -> Result<Writer<File>, CaptureError> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(Writer::new).map_err(|error| CaptureError::File { path: path.to_owned(), error })
}

impl<W: Write> Shown<'_, W> {
    fn all(&mut self) -> Result<(), CaptureError> {
        let keys = self.arguments.keys.as_deref().map(read::read).transpose()?.unwrap_or_default();
        let mut dissector = Dissector::new(keys);
        let exported = self.arguments.export_keys.clone().map(KeyLog::open).transpose()?;
        let mut source = Source::open(self.arguments)?;
        self.written = self.arguments.write.as_deref().map(create).transpose()?;
        let mut failed = Ok(());
        while self.arguments.count.is_none_or(|most| self.count < most) {
            let Some(frame) = source.next() else { break };
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            };
            self.read += 1;
            self.start = self.start.or(frame.time);
            let packet = dissector.packet(&frame);
            let wanted = self.arguments.all || packet.is_ipsec();
            if wanted && self.arguments.filter.as_ref().is_none_or(|filter| filter.fits(&packet)) {
                self.count += 1;
                let seen = Seen { number: self.read, frame: &frame, packet: &packet, start: self.start };
                self.show(&seen).map_err(CaptureError::Output)?;
                if let (Some(written), Some(path)) = (&mut self.written, &self.arguments.write) {
                    written.write(&frame).map_err(|error| CaptureError::File { path: path.clone(), error })?;
                }
            }
        }
        if self.format == Format::Text && io::stderr().is_terminal() {
            eprintln!("{} of {} frames shown", self.count, self.read);
        }
        if let Source::Live(live) = &source
            && let lost @ 1.. = live.lost()
        {
            eprintln!("{lost} frames were lost: more came than could be shown");
        }
        if let Some(exported) = exported {
            dissector.used().try_for_each(|key| exported.write(key))?;
        }
        failed
    }

    fn show(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        if self.format == Format::Json {
            return writeln!(self.output, "{}", view::json(seen));
        }
        writeln!(self.output, "{}", view::summary(seen))?;
        if self.arguments.view != View::Summary {
            self.output.write_all(view::tree(seen.packet).as_bytes())?;
        }
        if self.arguments.view == View::Hex {
            self.output.write_all(view::octets(seen.packet).as_bytes())?;
        }
        Ok(())
    }
}
