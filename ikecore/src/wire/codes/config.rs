//! Codes of the transaction exchange: Mode Config (draft-dukes-ike-mode-cfg-02) and XAuth (draft-beaulieu-ike-xauth-02).

code! {
    /// What an attribute payload asks for or tells (draft-dukes-ike-mode-cfg-02 §3.3).
    ConfigType(u8) {
        REQUEST = 1 "ISAKMP_CFG_REQUEST",
        REPLY = 2 "ISAKMP_CFG_REPLY",
        SET = 3 "ISAKMP_CFG_SET",
        ACK = 4 "ISAKMP_CFG_ACK",
    }
}

code! {
    /// An attribute of the transaction exchange (draft-dukes-ike-mode-cfg-02 §3.4; draft-beaulieu-ike-xauth-02 §6.2
    /// for 16520 to 16529; 28672 to 28682 are Cisco's).
    ConfigAttribute(u16) {
        INTERNAL_IP4_ADDRESS = 1 "INTERNAL_IP4_ADDRESS",
        INTERNAL_IP4_NETMASK = 2 "INTERNAL_IP4_NETMASK",
        INTERNAL_IP4_DNS = 3 "INTERNAL_IP4_DNS",
        INTERNAL_IP4_NBNS = 4 "INTERNAL_IP4_NBNS",
        INTERNAL_ADDRESS_EXPIRY = 5 "INTERNAL_ADDRESS_EXPIRY",
        INTERNAL_IP4_DHCP = 6 "INTERNAL_IP4_DHCP",
        APPLICATION_VERSION = 7 "APPLICATION_VERSION",
        INTERNAL_IP6_ADDRESS = 8 "INTERNAL_IP6_ADDRESS",
        INTERNAL_IP6_NETMASK = 9 "INTERNAL_IP6_NETMASK",
        INTERNAL_IP6_DNS = 10 "INTERNAL_IP6_DNS",
        INTERNAL_IP6_NBNS = 11 "INTERNAL_IP6_NBNS",
        INTERNAL_IP6_DHCP = 12 "INTERNAL_IP6_DHCP",
        INTERNAL_IP4_SUBNET = 13 "INTERNAL_IP4_SUBNET",
        SUPPORTED_ATTRIBUTES = 14 "SUPPORTED_ATTRIBUTES",
        INTERNAL_IP6_SUBNET = 15 "INTERNAL_IP6_SUBNET",
        XAUTH_TYPE = 16520 "XAUTH-TYPE",
        XAUTH_USER_NAME = 16521 "XAUTH-USER-NAME",
        XAUTH_USER_PASSWORD = 16522 "XAUTH-USER-PASSWORD",
        XAUTH_PASSCODE = 16523 "XAUTH-PASSCODE",
        XAUTH_MESSAGE = 16524 "XAUTH-MESSAGE",
        XAUTH_CHALLENGE = 16525 "XAUTH-CHALLENGE",
        XAUTH_DOMAIN = 16526 "XAUTH-DOMAIN",
        XAUTH_STATUS = 16527 "XAUTH-STATUS",
        XAUTH_NEXT_PIN = 16528 "XAUTH-NEXT-PIN",
        XAUTH_ANSWER = 16529 "XAUTH-ANSWER",
        UNITY_BANNER = 28672 "UNITY_BANNER",
        UNITY_SAVE_PASSWD = 28673 "UNITY_SAVE_PASSWD",
        UNITY_DEF_DOMAIN = 28674 "UNITY_DEF_DOMAIN",
        UNITY_SPLITDNS_NAME = 28675 "UNITY_SPLITDNS_NAME",
        UNITY_SPLIT_INCLUDE = 28676 "UNITY_SPLIT_INCLUDE",
        UNITY_NATT_PORT = 28677 "UNITY_NATT_PORT",
        UNITY_LOCAL_LAN = 28678 "UNITY_LOCAL_LAN",
        UNITY_PFS = 28679 "UNITY_PFS",
        UNITY_FW_TYPE = 28680 "UNITY_FW_TYPE",
        UNITY_BACKUP_SERVERS = 28681 "UNITY_BACKUP_SERVERS",
        UNITY_DDNS_HOSTNAME = 28682 "UNITY_DDNS_HOSTNAME",
    }
}

impl ConfigAttribute {
    /// True for attributes whose value proves who the user is and must never be shown.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::XAUTH_USER_PASSWORD | Self::XAUTH_PASSCODE | Self::XAUTH_NEXT_PIN | Self::XAUTH_ANSWER)
    }
}
