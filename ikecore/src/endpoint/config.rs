//! What an administrator can set of the endpoint itself.
use crate::event::Detail;
use crate::time::Duration;

/// The endpoint's settings. Policy is not among them: it comes by [`super::Input::Policy`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// How much is told in events.
    pub detail: Detail,
    /// Gives away the keys of all that it negotiates, by [`super::Output::Key`].
    pub key_log: bool,
    /// The UDP port of IKE, this host's and the peers'.
    pub ike_port: u16,
    /// The UDP port of NAT traversal: messages from and to it carry the non-ESP marker (RFC 3948 §2.2).
    pub nat_t_port: u16,
    /// The first retransmission follows after this; each later one after twice the interval before.
    pub retransmit_first: Duration,
    /// How long a peer may stay silent before traffic with it passes in clear, where the policy allows that; not before,
    /// whatever comes of the network. A peer that [`Self::transmissions`] gives up before has nothing pass.
    pub fallback_delay: Duration,
    /// Transmissions of one message, the first included.
    pub transmissions: u32,
    /// Negotiations under way with one peer address that has proven nothing yet.
    pub half_open_per_peer: usize,
    /// The same for all peers together.
    pub half_open_total: usize,
    /// From so many half-open ones on, a peer that knows Windows' cookie against floods must first send it back; until it
    /// does, nothing of it is kept.
    pub half_open_cookie: usize,
    /// The anti-replay window of installed SAs, packets.
    pub replay_window: u32,
    /// Announces in the first phase 1 with a peer that there was none before: by the notification INITIAL-CONTACT
    /// (RFC 2407 §4.6.3.3), and by a vendor ID as Windows does.
    pub initial_contact: bool,
    /// Speaks NAT traversal (RFC 3947).
    pub nat_traversal: bool,
    /// Speaks IKE fragmentation with peers that announce it.
    pub fragmentation: bool,
    /// As responder of quick mode, sets the commit bit: an initiator that heeds it uses the SAs only once this host has said
    /// CONNECTED (RFC 2408 §3.1).
    pub commit_bit: bool,
    /// Announces itself by the vendor ID of Windows Server 2003: peers that are Windows then repeat a delete until it is
    /// acknowledged, which this host does for everybody.
    pub as_windows: bool,
    /// Announces that it is a member of a cluster, so that peers let its SAs go when they carry nothing for a minute.
    pub of_cluster: bool,
    /// Quick modes that this host has under way at once with one ISAKMP SA; more wait for their turn. At least 1.
    pub quick_modes_at_once: usize,
    /// Behind a NAT, a keep-alive goes out after each such interval (RFC 3948 §4); zero: none.
    pub nat_keep_alive: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            detail: Detail::Outcomes,
            key_log: false,
            ike_port: 500,
            nat_t_port: 4500,
            retransmit_first: Duration::from_secs(1),
            transmissions: 6,
            half_open_per_peer: 35,
            fallback_delay: Duration::from_secs(3),
            half_open_total: 500,
            half_open_cookie: 250,
            replay_window: 64,
            initial_contact: true,
            nat_traversal: true,
            fragmentation: true,
            commit_bit: false,
            as_windows: false,
            of_cluster: false,
            quick_modes_at_once: 1,
            nat_keep_alive: Duration::from_secs(20),
        }
    }
}
