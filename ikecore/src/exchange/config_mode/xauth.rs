//! What extended authentication says in transactions (draft-beaulieu-ike-xauth-02 §6), of the generic type: a name and a
//! password.
use crate::policy::remote_access::XauthCredentials;
use crate::secret::Secret;
use crate::wire::{Attribute, AttributeValue, ConfigAttribute, ConfigAttributes, ConfigType};

/// XAUTH-TYPE: Generic (§6.3), which is also meant where there is none.
const GENERIC: u16 = 0;

/// XAUTH-STATUS (§6.2).
const OK: u16 = 1;
const FAIL: u16 = 0;

/// The most octets of a name that is looked at.
const MAX_NAME: usize = 255;

/// The most octets of a password that is looked at.
const MAX_PASSWORD: usize = 1_024;

const fn variable(kind: ConfigAttribute, octets: &[u8]) -> Attribute<'_> {
    Attribute { kind: kind.0, value: AttributeValue::Variable(octets) }
}

const fn basic(kind: ConfigAttribute, value: u16) -> Attribute<'static> {
    Attribute { kind: kind.0, value: AttributeValue::Basic(value) }
}

/// True if the transaction is about extended authentication.
pub(super) fn is_about(attributes: &ConfigAttributes<'_>) -> bool {
    let range = ConfigAttribute::XAUTH_TYPE.0..=ConfigAttribute::XAUTH_ANSWER.0;
    attributes.attributes.iter().any(|attribute| range.contains(&attribute.kind))
}

/// The server's question: name and password, without a type, which means the generic one.
pub(super) fn request(identifier: u16) -> ConfigAttributes<'static> {
    // §6.1: what is wanted back has a length of zero.
    let wanted = [ConfigAttribute::XAUTH_USER_NAME, ConfigAttribute::XAUTH_USER_PASSWORD];
    let attributes = wanted.map(|kind| variable(kind, &[])).to_vec();
    ConfigAttributes { config_type: ConfigType::REQUEST, identifier, attributes }
}

/// The server's verdict. It tells the peer nothing but yes or no.
pub(super) fn status(identifier: u16, admitted: bool) -> ConfigAttributes<'static> {
    let status = basic(ConfigAttribute::XAUTH_STATUS, if admitted { OK } else { FAIL });
    ConfigAttributes { config_type: ConfigType::SET, identifier, attributes: vec![status] }
}

/// What the client answered.
pub(super) enum Reply {
    /// A name and a password.
    Credentials(String, Secret<Vec<u8>>),
    /// Nothing that could be checked, and why.
    Unusable(&'static str),
}

/// Reads the client's answer.
pub(super) fn read_reply(reply: &ConfigAttributes<'_>) -> Reply {
    let (mut name, mut password) = (None, None);
    for attribute in &reply.attributes {
        match (ConfigAttribute(attribute.kind), attribute.value) {
            // §6.2: a client that has no answer says FAIL.
            (ConfigAttribute::XAUTH_STATUS, _) => return Reply::Unusable("the peer has no name and password to give"),
            // §6.2: without a type in the request there is none in the reply.
            (ConfigAttribute::XAUTH_TYPE, _) if attribute.as_u64() != Some(GENERIC.into()) => {
                return Reply::Unusable("the peer answered with another type than the generic one");
            }
            (ConfigAttribute::XAUTH_USER_NAME, AttributeValue::Variable(octets)) => name = Some(unterminated(octets)),
            (ConfigAttribute::XAUTH_USER_PASSWORD, AttributeValue::Variable(octets)) => {
                password = Some(unterminated(octets));
            }
            _ => {}
        }
    }
    let name = name.filter(|name| !name.is_empty() && name.len() <= MAX_NAME);
    let name = name.and_then(|name| core::str::from_utf8(name).ok()).filter(|name| !name.chars().any(char::is_control));
    let Some(name) = name else { return Reply::Unusable("the peer gave no name that can be one") };
    match password.filter(|password| password.len() <= MAX_PASSWORD) {
        Some(password) => Reply::Credentials(name.to_owned(), Secret::new(password.to_vec())),
        None => Reply::Unusable("the peer gave no password that can be one"),
    }
}

/// Some end their text with a zero octet, though its length says where it ends.
fn unterminated(octets: &[u8]) -> &[u8] {
    octets.strip_suffix(&[0]).unwrap_or(octets)
}

/// The client's answer to the server's question; the flag says whether it has what was asked for.
pub(super) fn reply<'a>(
    request: &ConfigAttributes<'_>,
    credentials: Option<&'a XauthCredentials>,
) -> (ConfigAttributes<'a>, bool) {
    let answer =
        |attributes| ConfigAttributes { config_type: ConfigType::REPLY, identifier: request.identifier, attributes };
    let refusal = || (answer(vec![basic(ConfigAttribute::XAUTH_STATUS, FAIL)]), false);
    let Some(credentials) = credentials else { return refusal() };
    let mut attributes = Vec::new();
    for wanted in &request.attributes {
        match ConfigAttribute(wanted.kind) {
            // §6.2: a type in the reply where one is in the request, and the same.
            ConfigAttribute::XAUTH_TYPE if wanted.as_u64() == Some(GENERIC.into()) => {
                attributes.push(basic(ConfigAttribute::XAUTH_TYPE, GENERIC));
            }
            kind @ ConfigAttribute::XAUTH_USER_NAME => attributes.push(variable(kind, credentials.user.as_bytes())),
            kind @ ConfigAttribute::XAUTH_USER_PASSWORD => {
                attributes.push(variable(kind, credentials.password.expose()));
            }
            // A domain that the policy does not know is none; a message is for people.
            kind @ ConfigAttribute::XAUTH_DOMAIN => attributes.push(variable(kind, &[])),
            ConfigAttribute::XAUTH_MESSAGE => {}
            // Another type, a token's code, a new PIN, an answer to a question: not of the generic kind.
            ConfigAttribute::XAUTH_TYPE
            | ConfigAttribute::XAUTH_PASSCODE
            | ConfigAttribute::XAUTH_NEXT_PIN
            | ConfigAttribute::XAUTH_CHALLENGE
            | ConfigAttribute::XAUTH_ANSWER => return refusal(),
            _ => {}
        }
    }
    (answer(attributes), true)
}

/// What the server's verdict says: whether it is good, and its message.
pub(super) fn read_status(set: &ConfigAttributes<'_>) -> Option<(bool, Option<String>)> {
    let find = |kind: ConfigAttribute| set.attributes.iter().find(|attribute| attribute.kind == kind.0);
    let status = find(ConfigAttribute::XAUTH_STATUS)?.as_u64();
    let message = find(ConfigAttribute::XAUTH_MESSAGE).and_then(|message| match message.value {
        AttributeValue::Variable(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
        AttributeValue::Basic(_) => None,
    });
    Some((status == Some(OK.into()), message))
}
