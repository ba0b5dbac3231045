//! Provinces for the generator: population weights, regional offices, and towns with a branch.
//!
//! The reference data have the names of provinces. The weights are the population of the census of 2010 in units of
//! 100,000, rounded, for the 34 provinces of 2014, the year of the synthetic register.

/// A province, with the data that the generator needs.
pub(super) struct Area {
    /// Internal id, equal to the province code.
    pub(super) id: i16,
    /// Relative population.
    pub(super) weight: u32,
    /// How many regencies (kabupaten, numbered from 01) and towns (kota, numbered from 71) identity numbers use.
    pub(super) regencies: (u32, u32),
    /// Towns with a branch: the three letters of the branch's code, and the name. The main town is first.
    pub(super) towns: &'static [(&'static str, &'static str)],
}

/// A regional office (Kanwil): its code, its name, and its provinces.
pub(super) const REGIONAL_OFFICES: &[(&str, &str, &[i16])] = &[
    ("KW-SUMBAGUT", "Sumbagut", &[12, 11]),
    ("KW-SUMBARRIAU", "Sumbarriau", &[14, 13, 21]),
    ("KW-SUMBAGSEL", "Sumbagsel", &[16, 15, 17, 18, 19]),
    ("KW-BANTEN", "Banten", &[36]),
    ("KW-JAKARTA", "DKI Jakarta", &[31]),
    ("KW-JABAR", "Jawa Barat", &[32]),
    ("KW-JATENGDIY", "Jateng dan DIY", &[33, 34]),
    ("KW-JATIM", "Jawa Timur", &[35]),
    ("KW-KALIMANTAN", "Kalimantan", &[64, 61, 62, 63, 65]),
    ("KW-SULAMA", "Sulawesi dan Maluku", &[73, 71, 72, 74, 75, 76, 81, 82]),
    ("KW-BANUSPA", "Bali, Nusa Tenggara dan Papua", &[51, 52, 53, 91, 92]),
];

/// The provinces of 2014, in the order of their codes.
#[rustfmt::skip]
pub(super) const AREAS: &[Area] = &[
    area(11, 45, (18, 5), &[("BNA", "Banda Aceh"), ("LSM", "Lhokseumawe"), ("MBO", "Meulaboh")]),
    area(12, 130, (25, 8), &[("MDN", "Medan"), ("BNJ", "Binjai"), ("PMS", "Pematangsiantar"), ("SBG", "Sibolga"), ("KIS", "Kisaran")]),
    area(13, 48, (12, 7), &[("PDG", "Padang"), ("BKT", "Bukittinggi"), ("SLK", "Solok")]),
    area(14, 55, (10, 2), &[("PKU", "Pekanbaru"), ("DUM", "Dumai"), ("RGT", "Rengat")]),
    area(15, 31, (9, 2), &[("JMB", "Jambi"), ("MBU", "Muara Bungo")]),
    area(16, 75, (13, 4), &[("PLG", "Palembang"), ("PBM", "Prabumulih"), ("LLG", "Lubuk Linggau"), ("BTA", "Baturaja"), ("LHT", "Lahat")]),
    area(17, 17, (9, 1), &[("BKL", "Bengkulu"), ("CRP", "Curup")]),
    area(18, 76, (13, 2), &[("BDL", "Bandar Lampung"), ("MTR", "Metro"), ("KTB", "Kotabumi")]),
    area(19, 12, (6, 1), &[("PGK", "Pangkalpinang"), ("TJQ", "Tanjung Pandan")]),
    area(21, 17, (5, 2), &[("TPI", "Tanjungpinang"), ("BTM", "Batam")]),
    area(31, 96, (1, 5), &[("JKP", "Jakarta Pusat"), ("JKS", "Jakarta Selatan"), ("JKB", "Jakarta Barat"), ("JKT", "Jakarta Timur"), ("JKU", "Jakarta Utara")]),
    area(32, 430, (18, 9), &[("BDG", "Bandung"), ("BKS", "Bekasi"), ("BGR", "Bogor"), ("CBN", "Cirebon"), ("DPK", "Depok"), ("KRW", "Karawang"), ("SMI", "Sukabumi"), ("TSM", "Tasikmalaya"), ("CKR", "Cikarang"), ("PWK", "Purwakarta")]),
    area(33, 324, (29, 6), &[("SMG", "Semarang"), ("SLO", "Surakarta"), ("PKL", "Pekalongan"), ("PWT", "Purwokerto"), ("KDS", "Kudus"), ("MGL", "Magelang"), ("TGL", "Tegal"), ("CLP", "Cilacap")]),
    area(34, 35, (4, 1), &[("YGY", "Yogyakarta"), ("BTL", "Bantul")]),
    area(35, 375, (29, 9), &[("SBY", "Surabaya"), ("MLG", "Malang"), ("SDA", "Sidoarjo"), ("GSK", "Gresik"), ("KDR", "Kediri"), ("JMR", "Jember"), ("MDU", "Madiun"), ("BJN", "Bojonegoro"), ("BWI", "Banyuwangi")]),
    area(36, 106, (4, 4), &[("SRG", "Serang"), ("TNG", "Tangerang"), ("CLG", "Cilegon"), ("TGS", "Tangerang Selatan")]),
    area(51, 39, (8, 1), &[("DPS", "Denpasar"), ("SGR", "Singaraja"), ("GNY", "Gianyar")]),
    area(52, 45, (8, 2), &[("MTM", "Mataram"), ("SBW", "Sumbawa Besar"), ("BIM", "Bima")]),
    area(53, 47, (21, 1), &[("KPG", "Kupang"), ("ENE", "Ende"), ("MOF", "Maumere")]),
    area(61, 44, (12, 2), &[("PTK", "Pontianak"), ("SKW", "Singkawang"), ("SKD", "Sanggau")]),
    area(62, 22, (13, 1), &[("PKY", "Palangka Raya"), ("SPT", "Sampit")]),
    area(63, 36, (11, 2), &[("BJM", "Banjarmasin"), ("BJB", "Banjarbaru"), ("BTC", "Batulicin")]),
    area(64, 30, (7, 3), &[("SMD", "Samarinda"), ("BPP", "Balikpapan"), ("BTG", "Bontang")]),
    area(65, 5, (4, 1), &[("TJS", "Tanjung Selor"), ("TRK", "Tarakan")]),
    area(71, 23, (11, 4), &[("MND", "Manado"), ("BTN", "Bitung")]),
    area(72, 26, (12, 1), &[("PAL", "Palu"), ("LWK", "Luwuk")]),
    area(73, 80, (21, 3), &[("MKS", "Makassar"), ("PRE", "Parepare"), ("PLP", "Palopo"), ("BLK", "Bulukumba")]),
    area(74, 22, (15, 2), &[("KDI", "Kendari"), ("BAU", "Baubau")]),
    area(75, 10, (5, 1), &[("GTO", "Gorontalo")]),
    area(76, 12, (6, 0), &[("MMJ", "Mamuju")]),
    area(81, 15, (9, 2), &[("AMB", "Ambon"), ("TUA", "Tual")]),
    area(82, 10, (8, 2), &[("SFF", "Sofifi"), ("TTE", "Ternate")]),
    area(91, 41, (28, 1), &[("JAP", "Jayapura"), ("BIK", "Biak"), ("MKQ", "Merauke"), ("NBX", "Nabire"), ("TIM", "Timika"), ("WMX", "Wamena")]),
    area(92, 11, (12, 1), &[("MKW", "Manokwari"), ("SOQ", "Sorong")]),
];

const fn area(
    id: i16,
    weight: u32,
    regencies: (u32, u32),
    towns: &'static [(&'static str, &'static str)],
) -> Area {
    Area { id, weight, regencies, towns }
}

/// Returns the indexes of all provinces, each repeated according to its weight.
pub(super) fn by_weight() -> Vec<usize> {
    AREAS.iter().enumerate().flat_map(|(at, area)| std::iter::repeat_n(at, area.weight as usize)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_province_is_served_by_one_regional_office() {
        let mut served: Vec<i16> = REGIONAL_OFFICES.iter().flat_map(|office| office.2).copied().collect();
        served.sort_unstable();
        assert_eq!(served, AREAS.iter().map(|area| area.id).collect::<Vec<_>>());
        assert_eq!(served.len(), 34);
    }

    #[test]
    fn no_two_towns_share_a_code() {
        let towns: Vec<_> = AREAS.iter().flat_map(|area| area.towns).collect();
        let codes: BTreeSet<_> = towns.iter().map(|(code, _)| code).collect();
        let names: BTreeSet<_> = towns.iter().map(|(_, name)| name).collect();
        assert_eq!((codes.len(), names.len()), (towns.len(), towns.len()));
    }
}
