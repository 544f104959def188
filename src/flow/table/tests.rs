use super::*;

/// Whether each bucket says of its second bucket what is so.
fn spills_are_told(table: &FlowTable<()>) -> bool {
    let mut spilt = vec![false; table.bucket_count()];
    for at in 0..table.bucket_count() {
        for Slot(record) in table.in_bucket(at) {
            let filed = table.places[record as usize];
            assert_eq!(filed.place.bucket(), at);
            if filed.is_second {
                spilt[table.other(at, filed.tag)] = true;
            }
        }
    }
    table.buckets.iter().map(Bucket::has_spilt).eq(spilt)
}

#[test]
fn what_lies_in_its_second_bucket_is_known_until_it_leaves() {
    let mut table: FlowTable<()> = FlowTable::new(2, 4_000);
    let (mut hash, mut spills, mut evicted) = (1_u64, 0, 0);
    for number in 0..60_000_u64 {
        hash = hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        // More come than there is room for, then fewer. A flow stays for a minute.
        let apart_ns = if number < 30_000 { 12_000_000 } else { 24_000_000 };
        let now = Timestamp::from_ns(1_000_000_000_000 + number * apart_ns);
        table.sweep(0, now);
        let room = table.insert(table.home(table.base(0), hash ^ hash >> 29), now);
        evicted += usize::from(matches!(room, Room::Taken(_)));
        *table.get_mut(room.slot()) = Flow { last: now, ..Flow::default() };
        if number % 5_000 == 0 {
            assert!(spills_are_told(&table), "{number}");
            spills += table.buckets.iter().filter(|bucket| bucket.has_spilt()).count();
        }
    }
    assert!(spills > 0 && evicted > 0, "{spills} {evicted}");
    while table.sweep(0, Timestamp::from_ns(u64::MAX / 2)).is_some() {}
    assert!(table.is_empty() && table.buckets.iter().all(|bucket| !bucket.has_spilt()));
}
