//! Statistics: the figures of IP Security Monitor and some more, in one snapshot.
//!
//! Each is counted at one place: what the endpoint counts is taken from it, what becomes of negotiations and of the
//! driver's operations is counted by the engine, and what becomes of packets by the driver. A figure that nobody here
//! can know has no value, and [`Figure::unknown`] says why.
#[cfg(test)]
mod tests;

/// Which part of the service a figure is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    /// Negotiations: main-mode statistics.
    MainMode,
    /// SAs and their packets: quick-mode statistics.
    QuickMode,
}

/// How a figure moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It counts from the start of the service and never falls.
    Counter,
    /// It tells what is at the moment.
    Gauge,
}

/// Why a figure has no value.
const SILENT_DRIVER: &str = "the driver, or its kernel, does not count it";
const NO_QUEUE: &str = "there is no such queue: each is taken up at once";
const NO_OFFLOAD: &str = "no SAs are given to network cards";

macro_rules! figures {
    ($($group:ident $kind:ident $name:ident $key:literal $title:literal $netsh:expr, $unknown:expr, $help:literal;)*) => {
        /// A figure of the statistics.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Figure {
            $(#[doc = $help] $name,)*
        }

        impl Figure {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Of which part of the service it is.
            pub const fn group(self) -> Group {
                match self { $(Self::$name => Group::$group),* }
            }

            /// How it moves.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),* }
            }

            /// Its name for programs, which is unique in its group.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key),* }
            }

            /// Its name in IP Security Monitor.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// Its name in netsh, if that shows it.
            pub const fn netsh(self) -> Option<&'static str> {
                match self { $(Self::$name => $netsh),* }
            }

            /// Why it may have no value; empty if it always has one.
            pub const fn unknown(self) -> &'static str {
                match self { $(Self::$name => $unknown),* }
            }

            /// What it says.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help),* }
            }
        }
    };
}

figures! {
    MainMode Counter MainModes "ike_main_mode" "IKE Main Mode" Some("Main Modes"), "", "Main modes that made an ISAKMP SA";
    MainMode Counter QuickModes "ike_quick_mode" "IKE Quick Mode" Some("Quick Modes"), "", "Quick modes that made a pair of IPsec SAs";
    MainMode Counter SoftSas "soft_associations" "Soft Associations" Some("Soft SAs"), "", "Times that traffic went in clear because the peer did not answer";
    MainMode Counter AuthenticationFailures "authentication_failures" "Authentication Failures" Some("Authentication Failures"), "", "Messages and peers that could not be authenticated";
    MainMode Gauge ActiveAcquire "active_acquire" "Active Acquire" Some("Active Acquire"), "", "Negotiations under way that a packet asked for";
    MainMode Gauge ActiveReceive "active_receive" "Active Receive" Some("Active Receive"), "", "Computations under way or waiting that messages need before they are answered";
    MainMode Counter AcquireFailures "acquire_failures" "Acquire Failures" Some("Acquire fail"), "", "Acquires that no rule was for, and negotiations that a packet asked for and that failed";
    MainMode Counter ReceiveFailures "receive_failures" "Receive Failures" Some("Receive fail"), "", "Errors of the sockets when messages were read";
    MainMode Counter SendFailures "send_failures" "Send Failures" Some("Send fail"), "", "Messages that could not be sent";
    MainMode Gauge AcquireHeapSize "acquire_heap_size" "Acquire Heap Size" Some("Acquire Heap size"), NO_QUEUE, "Acquires that wait to be taken up";
    MainMode Gauge ReceiveHeapSize "receive_heap_size" "Receive Heap Size" Some("Receive Heap size"), NO_QUEUE, "Buffers of messages that wait to be taken up";
    MainMode Counter NegotiationFailures "negotiation_failures" "Negotiation Failures" Some("Negotiation Failures"), "", "Main modes and quick modes that failed";
    MainMode Counter InvalidCookies "invalid_cookies_received" "Invalid Cookies Received" Some("Invalid Cookies Rcvd"), "", "Messages whose cookies no ISAKMP SA has; after a restart of one side that is normal";
    MainMode Counter Acquires "total_acquire" "Total Acquire" Some("Total Acquire"), "", "Acquires of the driver";
    MainMode Counter GetSpis "total_get_spi" "Total Get SPI" Some("TotalGetSpi"), "", "SPIs that the driver was asked for";
    MainMode Counter KeyAdditions "key_additions" "Key Additions" Some("TotalKeyAdd"), "", "Outbound SAs that were given to the driver";
    MainMode Counter KeyUpdates "key_updates" "Key Updates" Some("TotalKeyUpdate"), "", "Inbound SAs that were given to the driver";
    MainMode Counter GetSpiFailures "get_spi_failures" "Get SPI Failures" Some("GetSpiFail"), "", "SPIs that the driver did not give";
    MainMode Counter KeyAdditionFailures "key_addition_failures" "Key Addition Failures" Some("KeyAddFail"), "", "Outbound SAs that the driver did not take";
    MainMode Counter KeyUpdateFailures "key_update_failures" "Key Update Failures" Some("KeyUpdateFail"), "", "Inbound SAs that the driver did not take";
    MainMode Gauge IsadbListSize "isadb_list_size" "ISADB List Size" Some("IsadbListSize"), "", "ISAKMP SAs, those being negotiated included, and soft SAs";
    MainMode Gauge ConnectionListSize "connection_list_size" "Connection List Size" Some("ConnListSize"), "", "Quick modes under way";
    MainMode Counter InvalidPackets "invalid_packets_received" "Invalid Packets Received" Some("Invalid Packets Rcvd"), "", "Messages that were malformed";
    MainMode Gauge ActiveMainModes "active_main_modes" "Active Main Modes" None, "", "ISAKMP SAs that stand";
    MainMode Gauge HalfOpenMainModes "half_open_main_modes" "Half-Open Main Modes" None, "", "Main modes under way that peers began";
    MainMode Counter MainModesStarted "main_modes_started" "Main Modes Started" None, "", "Main modes that began, at either end";
    MainMode Counter MainModesOfPeers "main_modes_started_by_peer" "Main Modes Started by Peer" None, "", "Main modes that peers began";
    MainMode Counter MainModesFailed "main_modes_failed" "Main Modes Failed" None, "", "Main modes that failed";
    MainMode Counter QuickModesStarted "quick_modes_started" "Quick Modes Started" None, "", "Quick modes that began, at either end";
    MainMode Counter QuickModesFailed "quick_modes_failed" "Quick Modes Failed" None, "", "Quick modes that failed";
    MainMode Counter AcquiresJoined "reinitiated_acquires" "Re-Initiated Acquires" None, "", "Acquires whose negotiation was under way already";
    MainMode Counter Datagrams "messages_received" "Messages Received" None, "", "IKE datagrams that came";
    MainMode Counter Dropped "messages_dropped" "Messages Dropped" None, "", "IKE datagrams that were dropped";
    MainMode Counter Retransmitted "messages_retransmitted" "Messages Retransmitted" None, "", "Messages that were repeated for want of an answer";
    MainMode Counter RepliesRepeated "replies_repeated" "Replies Repeated" None, "", "Answers that were repeated to duplicates";
    QuickMode Gauge ActiveSas "active_security_associations" "Active Security Associations" Some("Active Assoc"), "", "Pairs of IPsec SAs that are installed";
    QuickMode Gauge OffloadedSas "offloaded_security_associations" "Offloaded Security Associations" Some("Offload SAs"), NO_OFFLOAD, "SAs on network cards";
    QuickMode Gauge PendingKeys "pending_key_operations" "Pending Key Operations" Some("Pending Key"), "", "Operations on SAs that the driver has not answered";
    QuickMode Counter SasAdded "key_additions" "Key Additions" Some("Key Adds"), "", "Pairs of IPsec SAs that were installed";
    QuickMode Counter SasDeleted "key_deletions" "Key Deletions" Some("Key Deletes"), "", "Pairs of IPsec SAs that were removed";
    QuickMode Counter Rekeys "rekeys" "Rekeys" Some("ReKeys"), "", "Pairs of IPsec SAs that took over from an earlier pair";
    QuickMode Gauge ActiveTunnels "active_tunnels" "Active Tunnels" Some("Active Tunnels"), "", "Pairs of IPsec SAs in tunnel mode";
    QuickMode Counter BadSpi "bad_spi_packets" "Bad SPI Packets" Some("Bad SPI Pkts"), SILENT_DRIVER, "Packets with an SPI that no SA has";
    QuickMode Counter NotDecrypted "packets_not_decrypted" "Packets Not Decrypted" Some("Pkts not Decrypted"), SILENT_DRIVER, "Packets that could not be decrypted, or whose integrity check failed";
    QuickMode Counter NotAuthenticated "packets_not_authenticated" "Packets Not Authenticated" Some("Pkts not Authenticated"), SILENT_DRIVER, "Packets of this host's SAs whose integrity check failed";
    QuickMode Counter Replays "packets_with_replay_detection" "Packets With Replay Detection" Some("Pkts with Replay Detection"), SILENT_DRIVER, "Packets whose sequence number was seen before, or is too old";
    QuickMode Counter ConfidentialSent "confidential_bytes_sent" "Confidential Bytes Sent" Some("Confidential Bytes Sent"), "", "Octets that were sent encrypted";
    QuickMode Counter ConfidentialReceived "confidential_bytes_received" "Confidential Bytes Received" Some("Confidential Bytes Received"), "", "Octets that came encrypted";
    QuickMode Counter AuthenticatedSent "authenticated_bytes_sent" "Authenticated Bytes Sent" Some("Authenticated Bytes Sent"), "", "Octets that were sent with an integrity check";
    QuickMode Counter AuthenticatedReceived "authenticated_bytes_received" "Authenticated Bytes Received" Some("Authenticated Bytes Received"), "", "Octets that came with an integrity check";
    QuickMode Counter TransportSent "transport_bytes_sent" "Transport Bytes Sent" Some("Transport Bytes Sent"), "", "Octets that were sent in transport mode";
    QuickMode Counter TransportReceived "transport_bytes_received" "Transport Bytes Received" Some("Transport Bytes Received"), "", "Octets that came in transport mode";
    QuickMode Counter OffloadedSent "offloaded_bytes_sent" "Offloaded Bytes Sent" Some("Offloaded Bytes Sent"), NO_OFFLOAD, "Octets that a network card protected";
    QuickMode Counter OffloadedReceived "offloaded_bytes_received" "Offloaded Bytes Received" Some("Offloaded Bytes Received"), NO_OFFLOAD, "Octets that a network card opened";
    QuickMode Counter TunnelSent "bytes_sent_in_tunnels" "Bytes Sent in Tunnels" Some("Bytes Sent In Tunnels"), "", "Octets that were sent in tunnel mode";
    QuickMode Counter TunnelReceived "bytes_received_in_tunnels" "Bytes Received in Tunnels" Some("Bytes Received In Tunnels"), "", "Octets that came in tunnel mode";
}

/// The figures at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statistics {
    values: Vec<Option<u64>>,
}

impl Default for Statistics {
    /// No figure has a value.
    fn default() -> Self {
        Self { values: vec![None; Figure::ALL.len()] }
    }
}

impl Statistics {
    /// What `figure` is; `None`: nobody here can know.
    pub fn get(&self, figure: Figure) -> Option<u64> {
        self.values.get(figure as usize).copied().flatten()
    }

    /// From now on `figure` is `value`.
    pub fn set(&mut self, figure: Figure, value: impl Into<Option<u64>>) {
        if let Some(place) = self.values.get_mut(figure as usize) {
            *place = value.into();
        }
    }
}
