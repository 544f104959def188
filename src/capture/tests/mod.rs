//! Tests of the whole room: captures as files, against what was put in and against libpcap.
