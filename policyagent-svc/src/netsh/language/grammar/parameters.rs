//! What the tables of both contexts have: short makers of their rows, and the parameters that are the same in several.
use super::*;

pub(super) const fn row(
    tag: &'static str,
    kind: Kind,
    need: Need,
    default: &'static str,
    help: &'static str,
) -> Parameter {
    Parameter { tag, kind, need, default, help }
}

pub(super) const fn required(tag: &'static str, kind: Kind, help: &'static str) -> Parameter {
    row(tag, kind, Need::Required, "", help)
}

pub(super) const fn optional(tag: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Parameter {
    row(tag, kind, Need::Optional, default, help)
}

/// The parameter as of `set`, where what is left out stays as it is.
pub(super) const fn unset(parameter: Parameter) -> Parameter {
    let Parameter { tag, kind, need, default: _, help } = parameter;
    Parameter { tag, kind, need, default: "", help }
}

/// The parameter that elsewhere is required.
pub(super) const fn may_be_left_out(parameter: Parameter) -> Parameter {
    let Parameter { tag, kind, need: _, default, help } = parameter;
    Parameter { tag, kind, need: Need::Optional, default, help }
}

pub(super) const KERBEROS: Parameter =
    optional("kerberos", Kind::YesNo, "", "authenticate by Kerberos; no is the same as leaving it out");
pub(super) const PSK: Parameter = optional("psk", Kind::PresharedKey, "", "authenticate by this pre-shared key");
pub(super) const ROOTCA: Parameter = row(
    "rootca",
    Kind::RootCa,
    Need::Repeated,
    "",
    "authenticate by a certificate below this authority; may be repeated",
);
pub(super) const SOURCE: Parameter = row("srcaddr", Kind::Address, Need::Side, "", "where packets come from");
pub(super) const DESTINATION: Parameter = row("dstaddr", Kind::Address, Need::Side, "", "where they go");
pub(super) const SOURCE_MASK: Parameter =
    optional("srcmask", Kind::Mask, "that of one host", "mask of srcaddr; not for ranges");
pub(super) const DESTINATION_MASK: Parameter =
    optional("dstmask", Kind::Mask, "that of one host", "mask of dstaddr; not for ranges");
pub(super) const RESOLVE: Parameter = optional("resolvedns", Kind::YesNo, "no", "show the names of addresses");
pub(super) const FORMAT: Parameter =
    optional("format", Kind::Keyword(&["list", "table"]), "list", "how it is laid out");
pub(super) const WIDE: Parameter = optional("wide", Kind::YesNo, "no", "do not cut long names");
pub(super) const LEVEL: Parameter =
    optional("level", Kind::Keyword(&["verbose", "normal"]), "normal", "how much is shown");
pub(super) const MINUTES: Kind = Kind::Minutes(1..=2879);
pub(super) const NAME_NEW: Parameter = required("name", Kind::NewName, "its name");
pub(super) const ONE_OR_ALL: Parameter = required("name", Kind::OneOrAll, "which one, or all");
pub(super) const SHOW_ONE_OR_ALL: Parameter =
    row("name", Kind::OneOrAll, Need::EitherOrNone, "all", "which one, or all");
pub(super) const SOFT: Parameter =
    optional("soft", Kind::YesNo, "no", "fall back to clear with peers that do not answer");
pub(super) const MMSECMETHODS: Parameter = optional(
    "mmsecmethods",
    Kind::MainModeOffers,
    "3DES-SHA1-2 3DES-MD5-2 DES-SHA1-1 DES-MD5-1",
    "what is offered, in order of preference",
);
pub(super) const CONNTYPE: Parameter =
    optional("conntype", Kind::ConnectionType, "all", "the kind of interface that it is for");
pub(super) const PROTOCOL: Parameter = optional("protocol", Kind::Protocol, "any", "the protocol");
pub(super) const MIRRORED: Parameter = optional("mirrored", Kind::YesNo, "yes", "also the way back");
pub(super) const SRCPORT: Parameter =
    optional("srcport", Kind::Port, "0", "the port of the source; only with TCP and UDP and their like");
pub(super) const DSTPORT: Parameter = optional("dstport", Kind::Port, "0", "the port of the destination; likewise");
pub(super) const SIDES_REMARK: &str =
    "dns, wins, dhcp and gateway are this host's servers: the other side is me, and may be left out.";
pub(super) const QMPERMM: Parameter =
    optional("qmpermm", Kind::Number(0..=0x7fff_ffff), "0", "quick modes of one main mode; 0 is no limit");
pub(super) const MMLIFETIME: Parameter = optional("mmlifetime", MINUTES, "480", "life of main mode");

pub(super) const AUTHENTICATION_REMARK: &str = "The methods are offered in the order in which they stand in the line.";
pub(super) const REPLACED_REMARK: &str = "They replace those that it has.";
