package privacy

// ordinary are texts as people send them that give nobody away.
var ordinary = []string{
	// Amounts.
	"1.234.567.890 đồng", "860,000,000", "67.000.000 thẻ", "11.390/11.390", "99,98 %", "Đã giải ngân 123456789012 đồng",
	"Kinh phí 120000000 đồng", "120000000", "giảm từ 1 234 567 890 xuống 987 654 321", "860.000.000.000 đồng cho căn cước công dân",
	"Đã cấp CCCD gắn chip: 76.000.000", "Đã cấp 67000000 thẻ CCCD", "Cấp CMND cho 123456789 người", "cấp CCCD: 120.000.000 thẻ",
	"CCCD đã cấp: 125000000 thẻ", "thuê bao điện thoại: 125.000.000", "thuê bao điện thoại di động 912.345.678",
	"tổng mức đầu tư 84.912.345.678 đồng", "84912345678 đồng", "84 912 345 678 đồng", "84,912,345,678 VND", "tăng +17.000.000 thẻ",
	"doanh thu 0,0912345678 tỷ", "tỷ lệ 0.079123456789", "12345678901234", "2.36 million a day", "1e9 requests", "987654321 lượt",
	"345 678 901 234 đồng", "trung bình 2.360.000 giao dịch/ngày", "5 @ 3.000 đồng", "912345678 giao dịch", "US$ 1,234,567,890.12",
	"Các tháng: 0 0 0 0 0 0 0 0 0 0 0 0", "0 3 5 2 7 1 0 4 6 8 hồ sơ mỗi ngày", "+1234567890 đồng",
	"DT: 38234567 m2", "diện tích 123456789 m²", "điểm 8.5, 9.0, 7.25, 10, 9.75",
	// Dates and times.
	"2022-12-25T10:30:00+07:00", "2022-12-25T10:30:00.079123456Z", "20221225", "20221225103000", "25/12/2022", "25.12.2022 10:30",
	"05-12-2022 10:30:00", "từ 01/01/2022 đến 31/12/2022", "07.30-11.30 và 13.30-17.00", "05.12.2022 10", "lúc 08:15 ngày 09/03/2022",
	"07/2022, 08/2022, 09/2022", "giai đoạn 2021-2025, 2026-2030", "hạn 05/12/2022-09/12/2022", "Tuần 0912 đến 1612", "1672531200000",
	// Numbers of documents.
	"Nghị quyết 175/NQ-CP", "06/QĐ-TTg", "Quyết định số 06/QĐ-TTg ngày 06/01/2022", "Công văn 0912345678/UBND-VX", "000.00.19.H29-220125-0001",
	"Chỉ thị 05/CT-TTg", "Luật 59/2020/QH14", "Thông tư 07/2016/TT-BCA", "hóa đơn số 0012345678", "hóa đơn 012345678", "giấy phép số 012345678/GP-UBND",
	"mã thủ tục 1.000656", "thủ tục 2.001159, 1.004194", "TCVN 11823-1:2017", "ISBN 978-604-0-12345-6", "ISO 3166-2:VN-79",
	"MST 0312345678", "mã số thuế: 0100109106", "MST 0900234567 (Hưng Yên)", "Mã số doanh nghiệp 0100109106-001", "HS0912345678", "Hồ sơ số 012345678",
	"G04.0912345678A", "mã hồ sơ H29.01-221225-0912", "văn bản 1234/BTTTT-CĐSQG", "seri AA/22E số 0001234", "điều 5, khoản 12, điểm 3, mục 45, phụ lục 678",
	// Accounts and codes.
	"tài khoản 9527.1.1234567", "TK 3713.0.1047654.00000 tại KBNN", "số 1234567890123 tài khoản kho bạc", "số tài khoản 079123456789", "STK 19012345678012",
	"TK 0011001234567", "các tỉnh 001 002 004 006", "các xã 26734, 26737, 26740", "mã xã 00001 00004 00006", "các xã 03 05 07 08 09", "Tuyến 05 12 18 24 36",
	"SHA-256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "mã 3f0912345678ab", "phiên bản 10.0.19045.2364", "IP 10.0.12.34, 192.168.100.200",
	"bộ mã 079.080.082.083", "tọa độ 21.0277644,105.8341598", "tọa độ 10.0791234567", "550e8400-e29b-41d4-a716-012345678901",
	// Links.
	"https://dichvucong.gov.vn/p/home/dvc-chi-tiet-thu-tuc.html?ma_thu_tuc=1.000656", "https://baochinhphu.vn/de-an-06-102221225103000123.htm",
	"https://thuvienphapluat.vn/van-ban/Quyet-dinh-06-QD-TTg-2022-499726.aspx", "https://example.gov.vn/tin/thong-bao-079123456789.html",
	"https://example.gov.vn/tin/so-dien-thoai-0912345678.html", "https://example.gov.vn/bao-cao?id=860000000000", "https://www.google.com/maps/@21.0277644,105.8341598,15z",
	"https://medium.com/@user/de-an-06", "xem example.vn/a-0123456789.htm", "https://example.vn/20221225/012345678.pdf", "https://cotmoc.vn/p/0001?from=2022-12-25&to=2023-01-25",
	"spiffe://cotmoc.vn/unit/79", "https://unpkg.com/lib@1.2.3/x.js", "https://example.vn/tai-lieu/123456789012/ban-2.pdf", "published at example.gov.vn",
	// Words.
	"", "Nhập nhầm", "họp @ Hà Nội", "theo trang @chinhphu.vn", "tòa A công ty chậm nộp báo cáo", "Tổng đài 18001096", "hotline 1900 1234", "gọi 113, 114, 115",
	"dot 3 at 5", "điện thoại chưa có", "Đường ĐT.741 dài 12 km", "khu A cổng chính", "CCCD gắn chip", "số điện thoại: không", "meeting (at) hall 3",
	"03456 12 345", "mã 08.091.26734", "xã 09123 12 123 hồ sơ", "báo cáo 011 2022 123",
	// A second hand, written when the check was.
	"Tổng số 1,234,567 lượt; 12.345 hồ sơ; 99.98%", "Giai đoạn 2022–2025, tầm nhìn đến 2030",
	"Kế hoạch số 12/KH-UBND ngày 05/01/2023", "QCVN 102:2016/BTTTT", "Báo cáo 1288/BC-BCA-C06",
	"Đạt 1.146/1.146 thủ tục (100 %)", "Số liệu tính đến 16 giờ 30 ngày 25/12/2022",
	"từ 0h ngày 01/07/2022 đến 24h ngày 31/07/2022", "12 tháng: 012 034 056 078 090 011 023 045",
	"1) 10.599 xã 2) 705 huyện 3) 63 tỉnh", "tăng 1.000.000.000.000 đồng", "00:00:00 01/01/2022",
	"2022-M07, 2022-Q3, 2022-H1", "v1.2.3-rc.4+build.20221225", "04/2022/TT-BTTTT", "số dư 100.200.300.400",
	"Mã QR 00020101021238", "0,5 % — 0,75 %", "lũy kế 9 tháng: 912.345.678 nghìn đồng",
	"0912 hồ sơ, 345 trả lại, 678 quá hạn", "B 12 0345", "STT 01 02 03 04 05 06 07 08 09 10",
	"1 2 3 4 5 6 7 8 9 10 11 12", "tháng 01: 345 678; tháng 02: 456 789", "01. 234 567 890 đồng",
	"Số: 0123/BC-UBND", "Nghị định 61/2018/NĐ-CP, 107/2021/NĐ-CP, 45/2020/NĐ-CP", "QH-2045.0912", "giá trị 0912345",
	"2022/12/25 10:30:00.123456789", "epoch 1671942600", "1671942600123", "20221225103000123",
	"10.5281/zenodo.1234567", "doi:10.1000/182", "tcvn 7980:2008", "lô 012-345/2022",
	"https://vnexpress.net/de-an-06-4551234.html",
	"http://vbpl.vn/TW/Pages/vbpq-toanvan.aspx?ItemID=147301&dvid=13",
	"https://moha.gov.vn/0123456789abcdef0123456789abcdef.pdf",
	"https://docs.google.com/spreadsheets/d/1A0912345678bCdEfGhIjKlMnOpQrStUvWxYz/edit#gid=912345678",
	"https://congbao.chinhphu.vn/van-ban/nghi-quyet-so-175-nq-cp-38079/43345.htm",
	"https://drive.google.com/file/d/0B0123456789abc/view", "KPI 84 / 100", "(84)",
	"84 xã, 912 thôn, 345 tổ, 678 hộ", "84 912 hộ; 345 678 người", "Tỉnh 79: 26734 26737 26740 27154",
	"7.9.12.345.678", "số tiền 0 đồng", "Vốn: 1 234 567 890 123 đồng", "+84 xã", "+84.5 %", "tăng +912.345.678",
	"024-2022", "08/2022 09/2022 10/2022", "sai số 0.000000001234", "phiếu 0098765432", "mã 012-34-567",
	"chuyển khoản 012345678901 tại kho bạc", "điều 24, 28, 38, 29", "Phòng 024, tầng 3, nhà 82",
	"0281/2022, 0282/2022", "9 giờ 12 phút 34 giây 5678", "ông Lê Văn Tám 12.345.678 đồng", "C06@Bộ Công an",
	"5@10", "a@", "@", "@@@", "50% (at) 3.5", "đạt 75 at 80", "x at y", "12345678", "Số 01-02-03-04-05-06",
	"2022.0912.3456.78", "0912 3456 2022 2023",
}

// personal are texts that give somebody away, and what they give away.
var personal = []struct {
	text string
	kind Kind
}{
	// Identity numbers.
	{"079123456789", Identity}, {"gặp ông A, 079123456789, ở xã", Identity}, {"CCCD 001098012345", Identity}, {"CCCD: 001 098 012345", Identity},
	{"079 123 456 789", Identity}, {"079.123.456.789", Identity}, {"079-123-456-789", Identity}, {"0791 2345 6789", Identity}, {"079 1 23 456789", Identity},
	{"079 123456789", Identity}, {"079123 456789", Identity}, {"số định danh cá nhân 123456789012", Identity}, {"０７９１２３４５６７８９", Identity},
	{"٠٧٩١٢٣٤٥٦٧٨٩", Identity}, {"079\u200b123\u200b456\u200b789", Identity}, {"cccd079123456789", Identity}, {"(079123456789)", Identity}, {"ID=079123456789;", Identity},
	{"012345678", Identity}, {"CMND 123456789", Identity}, {"CMND số 012 345 678", Identity}, {"CMT: 212345678", Identity}, {"chứng minh nhân dân 312.345.678, cấp 2010", Identity},
	{"số chứng minh thư của ông A là 271234567", Identity}, {"CMTND 012.345.678", Identity}, {"căn cước công dân số 079-123-456-789", Identity}, {"số CC 079123456789", Identity},
	{"079\u00a0123\u00a0456\u00a0789", Identity}, {"079–123–456–789", Identity}, {"citizen ID 123 456 789 012", Identity}, {"https://example.vn/tra-cuu?cccd=079123456789", Identity},
	{"https://example.vn/nguoi/079123456789", Identity}, {"ông Bình 001.098.012.345 nộp", Identity}, {"079123456789/0912345678", Identity}, {"mst cá nhân 079123456789", Identity},
	{"Nguyễn Văn A 012345678 Hà Nội", Identity}, {"số 079123456789, 12 hồ sơ", Identity}, {"०७९१२३४५६७८९", Identity},
	// Telephone numbers.
	{"gọi 0912345678", Telephone}, {"gọi 0912 345 678", Telephone}, {"ĐT 091.234.5678", Telephone}, {"gọi ０９１２３４５６７８", Telephone}, {"gọi +84 91 234 5678", Telephone},
	{"+84 912 345 678", Telephone}, {"0912.345.678", Telephone}, {"0912-345-678", Telephone}, {"0912 34 56 78", Telephone}, {"091 2345 678", Telephone}, {"0912,345,678", Telephone},
	{"(024) 3823 4567", Telephone}, {"024 38234567", Telephone}, {"024.3823.4567", Telephone}, {"02438234567", Telephone}, {"(0236) 3822 041", Telephone}, {"028-3829-1234", Telephone},
	{"84912345678", Telephone}, {"0084912345678", Telephone}, {"0084 912 345 678", Telephone}, {"+84912345678", Telephone}, {"(+84) 912 345 678", Telephone}, {"+84 (0) 912 345 678", Telephone},
	{"+84.912.345.678", Telephone}, {"84-912-345-678", Telephone}, {"84 912345678", Telephone}, {"84 91 234 56 78", Telephone}, {"+84 24 3823 4567", Telephone}, {"+84 (24) 3823 4567", Telephone},
	{"SĐT: 0912345678", Telephone}, {"SĐT0912345678", Telephone}, {"số điện thoại 912345678", Telephone}, {"Số điện thoại của ông A: 0352 123 456", Telephone}, {"ĐTDĐ 0352123456", Telephone},
	{"Zalo 0352.123.456", Telephone}, {"tel:+84912345678", Telephone}, {"LH: 0912345678 (anh Nam)", Telephone}, {"0 912 345 678", Telephone}, {"09 1234 5678", Telephone}, {"09.12.34.56.78", Telephone},
	{"0168 123 4567", Telephone}, {"01681234567", Telephone}, {"0123.456.7890", Telephone}, {"ĐT: 3823 4567", Telephone}, {"Tel 38234567", Telephone}, {"điện thoại (04) 3823 4567", Telephone},
	{"0912345678/0987654321", Telephone}, {"0912345678-0987654321", Telephone}, {"0912345678,0987654321", Telephone}, {"gọi0912345678gặp Lan", Telephone}, {"０９１２．３４５．６７８", Telephone},
	{"٠٩١٢٣٤٥٦٧٨", Telephone}, {"09\u200b12\u200b34\u200b56\u200b78", Telephone}, {"0️⃣9️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣", Telephone}, {"0912\u00a0345\u00a0678", Telephone}, {"0912–345–678", Telephone},
	{"0912 · 345 · 678", Telephone}, {"năm 2022 0912345678", Telephone}, {"lúc 10 0912 345 678", Telephone}, {"+1 202 555 0123", Telephone}, {"+856 20 5555 5555", Telephone}, {"+14155552671", Telephone},
	{"https://zalo.me/0912345678", Telephone}, {"https://wa.me/84912345678", Telephone}, {"https://example.vn/?phone=%2B84912345678", Telephone}, {"https://example.vn/?sdt=0912345678&x=1", Telephone},
	{"số tài khoản 0912345678", Telephone}, {"Phone: 0912-345 678", Telephone}, {"sdt: 0 9 1 2 3 4 5 6 7 8", Telephone}, {"điện thoại: 0123456789", Telephone}, {"0912 345 678 2 người", Telephone},
	{"ông A (0912345678)", Telephone}, {"0912345678.", Telephone}, {"gọi 0912345678\nhoặc đến nơi", Telephone}, {"Hotline: 0988.123.456", Telephone}, {"0703 123 456", Telephone}, {"fax 024 3823 4567", Telephone},
	// Addresses of mail.
	{"hỏi nguyen.van.a@example.vn nhé", Mail}, {"a@b.vn", Mail}, {"A.B+c@Sub.Example.GOV.VN", Mail}, {"a (at) b.vn", Mail}, {"a[at]b[dot]vn", Mail}, {"a @ b . vn", Mail}, {"a @ b.vn", Mail},
	{"nguyenvana＠example．vn", Mail}, {"nguyenvana@gmail", Mail}, {"nguyenvana @gmail.com", Mail}, {"mailto:a@b.vn", Mail}, {"<a@b.vn>", Mail}, {"a{at}b.vn", Mail}, {"a <at> b.vn", Mail},
	{"a at b dot vn", Mail}, {"nguyenvana a còng gmail chấm com", Mail}, {"nguyenvana a-còng gmail.com", Mail}, {"nguyenvana (a còng) gmail.com", Mail}, {"https://example.vn/?to=nguyen.van.a@example.vn", Mail},
	{"https://example.vn/?to=a%40b.vn", Mail}, {"https://user@example.vn/", Mail}, {"a@\u200bb.vn", Mail}, {"Email: a_b-c@example.com.vn.", Mail}, {"nguyễn.văn.a@example.vn", Mail}, {"a@b(dot)vn", Mail},
	{"a (@) b.vn", Mail}, {"a@xn--b-9ga.vn", Mail}, {"liên hệ vanthu@hanoi.gov.vn hoặc đến trụ sở", Mail}, {"a@b .vn", Mail}, {"nguyenvana @ gmail . com", Mail}, {"NGUYENVANA@EXAMPLE.VN", Mail}, {"nguyenvana(at)gmail(dot)com", Mail},
	// A second hand, written when the check was.
	{"098 765 43 21", Telephone}, {"0987 6543 21", Telephone}, {"0987.6543.21", Telephone},
	{"O. A: 0987-654-321", Telephone}, {"dđ 0987654321", Telephone}, {"số máy 0987 654 321", Telephone},
	{"Call/Zalo:0987654321", Telephone}, {"0987654321(A. Nam)", Telephone}, {"[0987654321]", Telephone},
	{"0987654321;0912345678", Telephone}, {"(0987) 654 321", Telephone}, {"(+84)987654321", Telephone},
	{"+84-987-654-321", Telephone}, {"+84 987654321", Telephone}, {"0084-987654321", Telephone},
	{"84.987654321", Telephone}, {"ĐT:(028)38291234", Telephone}, {"ĐT 028.38.29.12.34", Telephone},
	{"028 3829 1234 (máy lẻ 12)", Telephone}, {"0258 3822 123", Telephone}, {"02583822123", Telephone},
	{"0258.3822.123", Telephone}, {"0258-3822123", Telephone}, {"CCCD:079.099.012.345", Identity},
	{"CCCD số: 0 7 9 0 9 9 0 1 2 3 4 5", Identity}, {"cmnd 012345678", Identity}, {"CMND:012345678", Identity},
	{"Số CMND/CCCD: 123456789", Identity}, {"số CMND 123.456.789", Identity}, {"Căn cước: 079099012345", Identity},
	{"CCCD(079099012345)", Identity}, {"số định danh: 079 099 012 345", Identity}, {"079099 012345", Identity},
	{"079 0 99 012345", Identity}, {"0790 9901 2345", Identity}, {"024188000123", Identity},
	{"u: 038099012345", Identity}, {"001.1.98.012345", Identity}, {"0010 9801 2345", Identity},
	{"CMND_123456789", Identity}, {"cmnd=123456789", Identity}, {"x@y.com.vn", Mail},
	{"x @y.vn và gmail: abc@gmail.com", Mail}, {"abc[@]gmail.com", Mail}, {"abc (at) gmail (dot) com", Mail},
	{"abc AT gmail DOT com", Mail}, {"abc@gmail . com", Mail}, {"abc@gmail,com", Mail}, {"abc@ gmail.com", Mail},
	{"Email:abc@yahoo.com.vn;", Mail}, {"abc＠gmail．com", Mail}, {"abc﹫gmail.com", Mail},
	{"abc@gmail chấm com", Mail}, {"abc.def@hanoi.gov.vn", Mail}, {"𝟎𝟗𝟖𝟕𝟔𝟓𝟒𝟑𝟐𝟏", Telephone},
	{"۰۹۸۷۶۵۴۳۲۱", Telephone}, {"0987\u2060654\u2060321", Telephone}, {"0987\u00ad654321", Telephone},
	{"0987\u202f654\u202f321", Telephone}, {"０９８７－６５４－３２１", Telephone}, {"₀₉₈₇₆₅₄₃₂₁", Telephone},
	{"⁰⁹⁸⁷⁶⁵⁴³²¹", Telephone}, {"0987 . 654 . 321", Telephone}, {"0987 - 654 - 321", Telephone},
	{"+84 0987654321", Telephone}, {"+840987654321", Telephone}, {"840987654321", Telephone},
	{"tel. 0243.8234567", Telephone},
}

// ordinaryIDs are ids of requests as programs make them.
var ordinaryIDs = []string{
	"7c9e6679-7425-40de-944b-e07fc1f90ae7", "550e8400-e29b-41d4-a716-446655440000", "00000000-0000-0000-0000-000000000000", "550e8400-e29b-41d4-a716-079123456789",
	"550E8400-E29B-41D4-A716-079123456789", "urn:uuid:0912345678ab-e29b-41d4", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01GN4Z5K0912345678ABCDEFGH", "0ujtsYcgvSTl8PAuAdqWYSMnLOv", "V1StGXR8_Z5jdHi6B-myT",
	"20221225103000", "221225103000", "20221225T103000Z", "2022-12-25T10:30:00.079123456Z", "1672531200", "1672531200000", "batch-2022-12-31-000123", "79-26734-cards-2022-M07-1",
	"unit-79/2022-M07/0001", "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "0912345678abcdef", "a0912345678", "0000012345", "000123456", "1", "req_000000000001",
	"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "sha256:0791234567890912345678", "report.2022.12.31.7", "860000000",
	"000000000000", "job-123456789", "550e8400e29b41d4a716079123456789", "x-99999999999999999999", "0912345678ab", "ab0123456789", "3.000.00.19.H29-220125-0001",
	"09123-12-123", "05123-2022-12-1", "079-2022-123-45", "cotmoc.p.*.*.t.vn.08.091.26734", "report-051222-103000", "0512-20221225", "091-2022-123", "03456-7-8-9012", "storm-02-09", "79-0912-3456",
}

// personalIDs are ids of requests that give somebody away.
var personalIDs = []struct {
	id   string
	kind Kind
}{
	{"079123456789", Identity}, {"001098012345", Identity}, {"123456789", Identity}, {"012345678", Identity}, {"cccd-079123456789", Identity}, {"cmnd123456789", Identity}, {"unit-79-079123456789-1", Identity},
	{"079-123-456-789", Identity}, {"079.123.456.789", Identity}, {"unit-79:012345678", Identity}, {"CCCD079123456789", Identity},
	{"0912345678", Telephone}, {"+84912345678", Telephone}, {"84912345678", Telephone}, {"sdt-0912345678", Telephone}, {"sdt0912345678", Telephone}, {"0912.345.678", Telephone}, {"0912-345-678", Telephone},
	{"batch-0912345678-1", Telephone}, {"02438234567", Telephone}, {"0084912345678", Telephone}, {"2022_0912345678", Telephone}, {"(024)38234567", Telephone},
	{"a@b.vn", Mail}, {"nguyen.van.a@example.vn-2022", Mail}, {"a(at)b.vn", Mail}, {"a%40b.vn", Mail},
}
