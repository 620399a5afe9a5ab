//! The ISAKMP wire format.
