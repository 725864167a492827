// The world of guest.wit in C.

#include "guest.h"

#include <stdlib.h>
#include <string.h>

typedef exports_example_guest_dates_date_t date;

// The number of days in a month, 0 if there is no such month.
static int days_of_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) {
        return 0;
    }
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap);
}

static bool is_date(const date *d) {
    return d->day >= 1 && d->day <= days_of_month(d->year, d->month);
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

// The number of days since 0000-03-01.
static int64_t number(const date *d) {
    int64_t year = d->year - (d->month <= 2), of_year = (153 * ((d->month + 9) % 12) + 2) / 5 + d->day - 1;
    return 365 * year + floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400) + of_year;
}

// Reads a number below 65,536, up to a character or to the end. Returns whether there is one.
static bool read_number(const guest_string_t *text, size_t *at, int until, int *result) {
    size_t begin = *at;
    *result = 0;
    if (*at < text->len && text->ptr[*at] == '+') {
        begin = ++*at;
    }
    for (; *at < text->len && text->ptr[*at] != until; ++*at) {
        int digit = text->ptr[*at] - '0';
        if (digit < 0 || digit > 9 || (*result = 10 * *result + digit) > 65535) {
            return false;
        }
    }
    bool has_digits = *at > begin;
    *at += *at < text->len;
    return has_digits;
}

static bool parse(const guest_string_t *text, date *ret, exports_example_guest_dates_problem_t *err) {
    int year, month, day;
    size_t at = 0;
    if (text->len == 0) {
        *err = EXPORTS_EXAMPLE_GUEST_DATES_PROBLEM_EMPTY;
        return false;
    }
    if (!read_number(text, &at, '-', &year) || !read_number(text, &at, '-', &month) ||
        !read_number(text, &at, -1, &day)) {
        *err = EXPORTS_EXAMPLE_GUEST_DATES_PROBLEM_NO_NUMBER;
        return false;
    }
    *err = EXPORTS_EXAMPLE_GUEST_DATES_PROBLEM_NO_SUCH_DATE;
    if (year > INT16_MAX || month > UINT8_MAX || day > UINT8_MAX) {
        return false;
    }
    *ret = (date){year, month, day};
    return is_date(ret);
}

bool exports_example_guest_dates_parse(guest_string_t *text, date *ret, exports_example_guest_dates_problem_t *err) {
    bool is_ok = parse(text, ret, err);
    guest_string_free(text);
    return is_ok;
}

// Appends a number to a text.
static void append_number(char *text, uint32_t number) {
    char digits[11], *at = digits + 10;
    *at = 0;
    do {
        *--at = '0' + number % 10;
    } while (number /= 10);
    strcat(text, at);
}

bool exports_example_guest_dates_add(date *d, int32_t days, date *ret, guest_string_t *err) {
    if (!is_date(d)) {
        char text[64] = "there is no day ";
        append_number(text, d->day);
        strcat(text, " in month ");
        append_number(text, d->month);
        guest_string_dup(err, text);
        return false;
    }
    int64_t sum = number(d) + days;
    int64_t since_1970 = sum - 719468;
    int64_t era = floor_div(sum, 146097), day = sum - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += 400 * era + (month <= 2);
    if (year < INT16_MIN || year > INT16_MAX || since_1970 < INT32_MIN || since_1970 > INT32_MAX) {
        guest_string_dup(err, "the year is too far away");
        return false;
    }
    *ret = (date){year, month, day};
    return true;
}

bool exports_example_guest_dates_day(date *d, exports_example_guest_dates_weekday_t *ret) {
    if (!is_date(d)) {
        return false;
    }
    int64_t days = number(d);
    // 0000-03-01 was a Wednesday.
    *ret = (days - 7 * floor_div(days, 7) + 2) % 7;
    return true;
}

bool exports_example_guest_dates_check(date *d, exports_example_guest_dates_problem_t *err) {
    *err = EXPORTS_EXAMPLE_GUEST_DATES_PROBLEM_NO_SUCH_DATE;
    return is_date(d);
}

static bool summarize(const guest_list_f64_t *values, const guest_list_f64_t *weights, guest_summary_t *ret, guest_string_t *err) {
    if (values->len == 0) {
        guest_string_dup(err, "there are no numbers");
        return false;
    }
    if (weights && weights->len != values->len) {
        guest_string_dup(err, "there are not as many weights as numbers");
        return false;
    }
    double total = 0, sum = 0, squares = 0, least = values->ptr[0], most = least;
    for (size_t i = 0; i < values->len; i++) {
        double value = values->ptr[i], weight = weights ? weights->ptr[i] : 1;
        total += weight;
        sum += weight * value;
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    double mean = sum / total;
    for (size_t i = 0; i < values->len; i++) {
        double value = values->ptr[i], weight = weights ? weights->ptr[i] : 1;
        squares += weight * ((value - mean) * (value - mean));
    }
    *ret = (guest_summary_t){values->len, mean, __builtin_sqrt(squares / total), {least, most}};
    return true;
}

bool exports_guest_summarize(guest_list_f64_t *values, guest_list_f64_t *maybe_weights, guest_summary_t *ret, guest_string_t *err) {
    bool is_ok = summarize(values, maybe_weights, ret, err);
    guest_list_f64_free(values);
    if (maybe_weights) {
        guest_list_f64_free(maybe_weights);
    }
    return is_ok;
}

bool exports_guest_best(guest_list_f32_t *scores, float *maybe_at_least, guest_tuple2_u32_f32_t *ret) {
    bool is_some = false;
    for (size_t i = 0; i < scores->len; i++) {
        float score = scores->ptr[i];
        if ((!is_some || score > ret->f1) && (!maybe_at_least || score >= *maybe_at_least)) {
            *ret = (guest_tuple2_u32_f32_t){i, score};
            is_some = true;
        }
    }
    guest_list_f32_free(scores);
    return is_some;
}

// Writes a character in UTF-8, and returns its number of bytes.
static size_t encode(uint32_t c, uint8_t *to) {
    if (c < 0x80) {
        to[0] = c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = first[more] | c >> 6 * more;
    for (size_t i = 1; i <= more; i++) {
        to[i] = 0x80 | (c >> 6 * (more - i) & 0x3f);
    }
    return more + 1;
}

void exports_guest_format(guest_string_t *text, guest_style_t style, uint32_t fill, uint8_t width, guest_string_t *ret) {
    size_t begin = 0, end = text->len;
    if (style & GUEST_STYLE_TRIM) {
        while (begin < end && text->ptr[begin] == ' ') {
            begin++;
        }
        while (begin < end && text->ptr[end - 1] == ' ') {
            end--;
        }
    }
    uint8_t *to = malloc(end - begin + 4 + 4 * width + 1);
    size_t size = 0, count = 0;
    if (style & GUEST_STYLE_QUOTE) {
        size += encode(0xbb, to + size), count++;
    }
    for (size_t i = begin; i < end; i++) {
        uint8_t c = text->ptr[i];
        count += (c & 0xc0) != 0x80;
        to[size++] = style & GUEST_STYLE_UPPER && c >= 'a' && c <= 'z' ? c - 32 : c;
    }
    if (style & GUEST_STYLE_QUOTE) {
        size += encode(0xab, to + size), count++;
    }
    for (; count < width; count++) {
        size += encode(fill, to + size);
    }
    guest_string_dup_n(ret, (char *)to, size);
    free(to);
    guest_string_free(text);
}

bool exports_guest_special(guest_string_t *text, uint32_t *ret) {
    bool is_some = false;
    for (size_t i = 0; i < text->len && !is_some; i++) {
        uint8_t c = text->ptr[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')) {
            continue;
        }
        size_t more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        *ret = more ? c & (0x3f >> more) : c;
        for (size_t k = 1; k <= more; k++) {
            *ret = *ret << 6 | (text->ptr[i + k] & 0x3f);
        }
        is_some = true;
    }
    guest_string_free(text);
    return is_some;
}

static float row(const guest_tuple4_f32_f32_f32_f32_t *line, const float *p) {
    return line->f0 * p[0] + line->f1 * p[1] + line->f2 * p[2] + line->f3;
}

bool exports_guest_transform(guest_list_f32_t *points, guest_matrix_t *matrix, guest_list_f32_t *ret, guest_string_t *err) {
    bool is_ok = points->len % 3 == 0;
    if (is_ok) {
        *ret = (guest_list_f32_t){NULL, points->len};
        ret->ptr = malloc(points->len * sizeof(float));
        for (size_t i = 0; i < points->len; i += 3) {
            const float *point = points->ptr + i;
            float w = row(&matrix->w, point);
            ret->ptr[i] = row(&matrix->x, point) / w;
            ret->ptr[i + 1] = row(&matrix->y, point) / w;
            ret->ptr[i + 2] = row(&matrix->z, point) / w;
        }
    } else {
        char text[64] = "";
        append_number(text, points->len);
        strcat(text, " numbers are no points");
        guest_string_dup(err, text);
    }
    guest_list_f32_free(points);
    return is_ok;
}

uint64_t exports_guest_next(uint64_t start) {
    static uint64_t state;
    static bool has_state;
    state = (has_state ? state : start) * 6364136223846793005u + 1442695040888963407u;
    has_state = true;
    return state;
}
