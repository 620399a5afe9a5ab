//! Status codes of the IKE service, with the numbers that administrators know from Windows (13800 and up).
use core::fmt;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        /// The final status of a negotiation: a number that the trace prints in hexadecimal, and its name.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Status {
            $($(#[$doc])* $name,)*
        }

        impl Status {
            /// The number.
            pub const fn code(self) -> u32 {
                match self { $(Self::$name => $value,)* }
            }

            /// The name as Windows prints it, without its prefix `ERROR_IPSEC_IKE_`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

statuses! {
    /// All is well.
    Success = 0, "SUCCESS";
    /// The peer could not prove who it is.
    AuthFail = 13801, "AUTH_FAIL";
    /// The peer gave an attribute that was not expected.
    AttribFail = 13802, "ATTRIB_FAIL";
    /// Anything that has no better name.
    GeneralProcessingError = 13804, "GENERAL_PROCESSING_ERROR";
    /// No answer within the retransmission limit.
    TimedOut = 13805, "TIMED_OUT";
    /// The SA was deleted by the peer or the administrator.
    SaDeleted = 13807, "SA_DELETED";
    /// The SA was removed after it ended.
    SaReaped = 13808, "SA_REAPED";
    /// Diffie-Hellman failed.
    DhFail = 13822, "DH_FAIL";
    /// The header was invalid.
    InvalidHeader = 13824, "INVALID_HEADER";
    /// No policy for this peer.
    NoPolicy = 13825, "NO_POLICY";
    /// The SA payload could not be processed.
    ProcessErrSa = 13830, "PROCESS_ERR_SA";
    /// The KE payload could not be processed.
    ProcessErrKe = 13833, "PROCESS_ERR_KE";
    /// The ID payload could not be processed.
    ProcessErrId = 13834, "PROCESS_ERR_ID";
    /// The HASH payload could not be processed.
    ProcessErrHash = 13837, "PROCESS_ERR_HASH";
    /// The notify payload could not be processed.
    ProcessErrNotify = 13840, "PROCESS_ERR_NOTIFY";
    /// A payload is malformed.
    InvalidPayload = 13843, "INVALID_PAYLOAD";
    /// A soft SA has ended.
    SoftSaTornDown = 13845, "SOFT_SA_TORN_DOWN";
    /// A cookie is wrong.
    InvalidCookie = 13846, "INVALID_COOKIE";
    /// The policy has changed.
    PolicyChange = 13849, "POLICY_CHANGE";
    /// The driver gave no SPI.
    GetSpiFail = 13857, "GETSPIFAIL";
    /// The selectors do not fit.
    InvalidFilter = 13858, "INVALID_FILTER";
    /// The driver did not install the SAs.
    AddUpdateKeyFailed = 13860, "ADD_UPDATE_KEY_FAILED";
    /// Encryption failed.
    Encrypt = 13866, "ENCRYPT";
    /// Decryption failed.
    Decrypt = 13867, "DECRYPT";
    /// No offer was acceptable.
    PolicyMatch = 13868, "POLICY_MATCH";
    /// The ID type is not supported.
    UnsupportedId = 13869, "UNSUPPORTED_ID";
    /// A hash is wrong.
    InvalidHash = 13870, "INVALID_HASH";
    /// The lifetime in a RESPONDER-LIFETIME notification is not acceptable.
    InvalidResponderLifetime = 13879, "INVALID_RESPONDER_LIFETIME_NOTIFY";
    /// The ISAKMP SA serves no more quick modes.
    QmLimit = 13884, "QM_LIMIT";
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x} {}", self.code(), self.name())
    }
}
