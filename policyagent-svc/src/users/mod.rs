//! Whom extended authentication admits: the users of a file, or those that PAM knows.
pub(crate) mod file;
pub(crate) mod pam;
