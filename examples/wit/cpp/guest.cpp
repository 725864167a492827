// The world of guest.wit in C++.

#include "guest_cpp.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

using std::int64_t;

// Where the library would print why it gives up: a module without this has nothing to print to.
void std::__libcpp_verbose_abort(const char *, ...) noexcept {
    __builtin_trap();
}

namespace exports::example::guest::dates {

// The number of days in a month, 0 if there is no such month.
static int days_of_month(int year, int month) {
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    switch (month) {
    case 2: return is_leap ? 29 : 28;
    case 4: case 6: case 9: case 11: return 30;
    default: return month >= 1 && month <= 12 ? 31 : 0;
    }
}

static bool is_date(const Date &date) {
    return date.day >= 1 && date.day <= days_of_month(date.year, date.month);
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

// The number of days since 0000-03-01.
static int64_t number(const Date &date) {
    int64_t year = date.year - (date.month <= 2);
    int64_t of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    return 365 * year + floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400) + of_year;
}

std::expected<Date, Problem> Parse(wit::string text) {
    if (text.empty()) {
        return std::unexpected(Problem::kEmpty);
    }
    const char *at = text.begin(), *end = text.end();
    uint16_t parts[3];
    for (int i = 0; i < 3; i++) {
        const char *stop = i < 2 ? std::find(at, end, '-') : end;
        at += at < stop && *at == '+';
        auto [rest, error] = std::from_chars(at, stop, parts[i]);
        if (error != std::errc() || rest != stop) {
            return std::unexpected(Problem::kNoNumber);
        }
        at = std::min(stop + 1, end);
    }
    Date date = {int16_t(parts[0]), uint8_t(parts[1]), uint8_t(parts[2])};
    if (parts[0] > INT16_MAX || parts[1] > UINT8_MAX || parts[2] > UINT8_MAX || !is_date(date)) {
        return std::unexpected(Problem::kNoSuchDate);
    }
    return date;
}

std::expected<Date, wit::string> Add(Date date, int32_t days) {
    if (!is_date(date)) {
        std::string text = "there is no day " + std::to_string(date.day) + " in month " + std::to_string(date.month);
        return std::unexpected(wit::string::from_view(text));
    }
    int64_t sum = number(date) + days, since_1970 = sum - 719468;
    int64_t era = floor_div(sum, 146097), day = sum - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += 400 * era + (month <= 2);
    if (year != int16_t(year) || since_1970 != int32_t(since_1970)) {
        return std::unexpected(wit::string::from_view("the year is too far away"));
    }
    return Date{int16_t(year), uint8_t(month), uint8_t(day)};
}

std::optional<Weekday> Day(Date date) {
    if (!is_date(date)) {
        return std::nullopt;
    }
    // 0000-03-01 was a Wednesday.
    int64_t days = number(date);
    return Weekday((days - 7 * floor_div(days, 7) + 2) % 7);
}

std::expected<void, Problem> Check(Date date) {
    if (!is_date(date)) {
        return std::unexpected(Problem::kNoSuchDate);
    }
    return {};
}

} // namespace exports::example::guest::dates

namespace exports::guest {

std::expected<::guest::Summary, wit::string> Summarize(wit::vector<double> values, std::optional<wit::vector<double>> weights) {
    if (values.empty()) {
        return std::unexpected(wit::string::from_view("there are no numbers"));
    }
    if (weights && weights->size() != values.size()) {
        return std::unexpected(wit::string::from_view("there are not as many weights as numbers"));
    }
    auto weight = [&](size_t i) { return weights ? (*weights)[i] : 1.0; };
    double total = 0, sum = 0, squares = 0, least = values[0], most = values[0];
    for (size_t i = 0; i < values.size(); i++) {
        total += weight(i);
        sum += weight(i) * values[i];
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    double mean = sum / total;
    for (size_t i = 0; i < values.size(); i++) {
        squares += weight(i) * ((values[i] - mean) * (values[i] - mean));
    }
    return ::guest::Summary{uint32_t(values.size()), mean, std::sqrt(squares / total), {least, most}};
}

std::optional<std::tuple<uint32_t, float>> Best(wit::vector<float> scores, std::optional<float> at_least) {
    std::optional<std::tuple<uint32_t, float>> best;
    uint32_t i = 0;
    for (float score : scores.get_view()) {
        if ((!best || score > std::get<1>(*best)) && (!at_least || score >= *at_least)) {
            best = {i, score};
        }
        i++;
    }
    return best;
}

// Appends a character in UTF-8.
static void append(std::string &text, uint32_t c) {
    if (c < 0x80) {
        text += char(c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    text += char(0xff00 >> (more + 1) | c >> 6 * more);
    while (more--) {
        text += char(0x80 | (c >> 6 * more & 0x3f));
    }
}

wit::string Format(wit::string text, ::guest::Style style, uint32_t fill, uint8_t width) {
    using ::guest::Style;
    auto has = [&](Style flag) { return (style & flag) == flag; };
    std::string_view view = text.get_view();
    if (has(Style::kTrim)) {
        view.remove_prefix(std::min(view.find_first_not_of(' '), view.size()));
        view = view.substr(0, view.find_last_not_of(' ') + 1);
    }
    std::string made;
    if (has(Style::kQuote)) {
        append(made, 0xbb);
    }
    for (char c : view) {
        made += has(Style::kUpper) && c >= 'a' && c <= 'z' ? char(c - 32) : c;
    }
    if (has(Style::kQuote)) {
        append(made, 0xab);
    }
    auto is_first = [](char c) { return (c & 0xc0) != 0x80; };
    for (auto count = std::count_if(made.begin(), made.end(), is_first); count < width; count++) {
        append(made, fill);
    }
    return wit::string::from_view(made);
}

std::optional<uint32_t> Special(wit::string text) {
    auto is_other = [](uint8_t c) { return !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')); };
    const char *at = std::find_if(text.begin(), text.end(), is_other);
    if (at == text.end()) {
        return std::nullopt;
    }
    uint8_t first = *at;
    int more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t c = more ? first & 0x3f >> more : first;
    while (more--) {
        c = c << 6 | (*++at & 0x3f);
    }
    return c;
}

std::expected<wit::vector<float>, wit::string> Transform(wit::vector<float> points, ::guest::Matrix matrix) {
    if (points.size() % 3 != 0) {
        return std::unexpected(wit::string::from_view(std::to_string(points.size()) + " numbers are no points"));
    }
    std::vector<float> made;
    for (size_t i = 0; i < points.size(); i += 3) {
        auto row = [p = &points[i]](const std::tuple<float, float, float, float> &line) {
            auto [a, b, c, d] = line;
            return a * p[0] + b * p[1] + c * p[2] + d;
        };
        float w = row(matrix.w);
        for (const auto *line : {&matrix.x, &matrix.y, &matrix.z}) {
            made.push_back(row(*line) / w);
        }
    }
    return wit::vector<float>::from_view(std::span(made));
}

uint64_t Next(uint64_t start) {
    static std::optional<uint64_t> state;
    state = state.value_or(start) * 6364136223846793005u + 1442695040888963407u;
    return *state;
}

} // namespace exports::guest
