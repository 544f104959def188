//! Picket matches threat indicators on network traffic.

pub mod alert;
pub mod bytes;
pub mod capture;
pub mod cli;
pub mod feed;
pub mod flow;
pub mod indicator;
pub mod marking;
pub mod matcher;
pub mod memory;
pub mod metrics;
pub mod packet;
pub mod pipeline;
pub mod prefetch;
pub mod proto;
pub mod sink;
pub mod time;
