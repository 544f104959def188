//! Picket matches threat indicators on network traffic.

pub mod bytes;
pub mod capture;
pub mod flow;
pub mod indicator;
pub mod marking;
pub mod matcher;
pub mod packet;
pub mod prefetch;
pub mod proto;
pub mod time;
