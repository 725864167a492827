// What follows a network that detects objects: non-maximum suppression, and the detections as JSON text.
//
// Floats are slow where this is meant to run, so it uses them only where boxes overlap. Scores and coordinates are compared as integers.

#include <stdbool.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))

// Errors.
enum {
    NOT_FINITE = -1, // a score or a coordinate is infinite or not a number
    NO_LABEL = -2,   // a label is not in the table
    NO_BOX = -3,     // an index is none of a box
    TOO_LARGE = -4,  // a number to be printed is 2^31 or more
    NO_ROOM = -5,    // the output does not fit
};

static uint32_t bits(const float *number)
{
    return *(const uint32_t *)number;
}

static bool finite(uint32_t bits)
{
    return (bits & 0x7f800000) != 0x7f800000;
}

// Returns an integer for each float, so that integers compare as the floats do. Both zeros are 0.
static int32_t order(uint32_t bits)
{
    int32_t magnitude = bits & 0x7fffffff;
    return (int32_t)bits < 0 ? -magnitude : magnitude;
}

// Returns whether a box comes before another: it has a higher score, or of equal ones the lower index.
static bool before(const float *scores, int64_t a, int64_t b)
{
    int32_t of_a = order(bits(&scores[a])), of_b = order(bits(&scores[b]));
    return of_a > of_b || (of_a == of_b && a < b);
}

// Moves the box at a place of a heap down to where it belongs. No box comes before those below it.
static void sink(const float *scores, int64_t *heap, int32_t place, int32_t count)
{
    int64_t box = heap[place];
    for (;;) {
        int32_t child = 2 * place + 1;
        if (child >= count)
            break;
        if (child + 1 < count && before(scores, heap[child], heap[child + 1]))
            child++;
        if (!before(scores, box, heap[child]))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = box;
}

// Sorts boxes, those with the highest scores first.
static void sort(const float *scores, int64_t *boxes, int32_t count)
{
    for (int32_t i = count / 2 - 1; i >= 0; i--)
        sink(scores, boxes, i, count);
    for (int32_t i = count - 1; i > 0; i--) {
        int64_t last = boxes[0];
        boxes[0] = boxes[i];
        boxes[i] = last;
        sink(scores, boxes, 0, i);
    }
}

// A range of coordinates.
struct range {
    float from, to;
};

static struct range range(const float *a, const float *b)
{
    return order(bits(a)) <= order(bits(b)) ? (struct range){*a, *b} : (struct range){*b, *a};
}

// Returns what two ranges have in common. If it is nothing, it ends where it begins, or before.
static struct range common(struct range a, struct range b)
{
    return (struct range){
        order(bits(&a.from)) >= order(bits(&b.from)) ? a.from : b.from,
        order(bits(&a.to)) <= order(bits(&b.to)) ? a.to : b.to,
    };
}

static bool empty(struct range range)
{
    return order(bits(&range.from)) >= order(bits(&range.to));
}

// Returns whether the intersection of two boxes is more than this part of their union, computed as ONNX Runtime does it. Boxes are two
// opposite corners.
static bool overlap(const float *a, const float *b, float part)
{
    struct range a0 = range(&a[0], &a[2]), b0 = range(&b[0], &b[2]), both0 = common(a0, b0);
    if (empty(both0))
        return false;
    struct range a1 = range(&a[1], &a[3]), b1 = range(&b[1], &b[3]), both1 = common(a1, b1);
    if (empty(both1))
        return false;
    float both = (both1.to - both1.from) * (both0.to - both0.from);
    if (both <= 0) // the product may be too small for a float
        return false;
    float of_a = (a1.to - a1.from) * (a0.to - a0.from);
    float of_b = (b1.to - b1.from) * (b0.to - b0.from);
    float all = of_a + of_b - both;
    if (of_a <= 0 || of_b <= 0 || all <= 0)
        return false;
    return both / all > part;
}

// Selects boxes with a score above the threshold, those with high scores first, and leaves out what overlaps a selected one. Writes
// the indices of `most` boxes at most, and returns their number.
EXPORT(nms)
int32_t nms(const float *boxes, int32_t count, const float *scores, int32_t count_of_scores, int32_t most, float part,
            float threshold, int64_t *selected, int32_t room)
{
    if (room < count)
        return NO_ROOM; // there must be room for all, since they are sorted there
    int32_t candidates = 0, found = 0, least = order(bits(&threshold));
    for (int32_t i = 0; i < count; i++) {
        const float *box = &boxes[4 * i];
        if (!finite(bits(&scores[i])) || !finite(bits(&box[0])) || !finite(bits(&box[1])) || !finite(bits(&box[2])) ||
            !finite(bits(&box[3])))
            return NOT_FINITE;
        if (order(bits(&scores[i])) > least)
            selected[candidates++] = i;
    }
    sort(scores, selected, candidates);
    for (int32_t i = 0; i < candidates && found < most; i++) {
        const float *box = &boxes[4 * selected[i]];
        int32_t j = 0;
        while (j < found && !overlap(&boxes[4 * selected[j]], box, part))
            j++;
        if (j == found)
            selected[found++] = selected[i];
    }
    return found;
}

// Does that for several cases, whose boxes and scores follow each other. Writes the indices of each case where its scores are, and
// their number or the number of an error.
EXPORT(nms_cases)
void nms_cases(const int32_t *counts, int32_t cases, const float *boxes, int32_t all, const float *scores, int32_t all_scores,
               const int32_t *most, int32_t cases2, const float *parts, int32_t cases3, const float *thresholds, int32_t cases4,
               int64_t *selected, int32_t room, int32_t *found, int32_t room_for_found)
{
    for (int32_t i = 0; i < cases; i++) {
        int32_t count = counts[i];
        found[i] = nms(boxes, count, scores, count, most[i], parts[i], thresholds[i], selected, count);
        boxes += 4 * count;
        scores += count;
        selected += count;
    }
}

// The classes of COCO, in the order in which networks have them.
static const char *const labels[] = {
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed",
    "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
};

enum { LABELS = sizeof labels / sizeof labels[0] };

// Text that is being written. What there is no room for is only counted.
struct text {
    uint8_t *bytes;
    int32_t length, room;
};

static void put(struct text *text, char c)
{
    if (text->length < text->room)
        text->bytes[text->length] = c;
    text->length++;
}

static void print(struct text *text, const char *string)
{
    while (*string)
        put(text, *string++);
}

// Prints a float with so many digits behind the point: the nearest such number, and of two the one with an even digit, as C and
// Python print it. Returns whether it is small enough.
static bool print_float(struct text *text, uint32_t bits, int digits)
{
    int exponent = (int)(bits >> 23 & 0xff) - 150;
    uint64_t number = bits & 0x7fffff;
    if (bits >> 23 & 0xff)
        number |= 0x800000;
    else
        exponent++;
    for (int i = 0; i < digits; i++)
        number *= 10;
    if (exponent > 7)
        return false;
    if (exponent >= 0) {
        number <<= exponent;
    } else if (exponent < -40) {
        number = 0; // it is less than 2^38 now
    } else {
        uint64_t one = 1ull << -exponent, rest = number & (one - 1);
        number >>= -exponent;
        if (rest > one / 2 || (rest == one / 2 && number & 1))
            number++;
    }
    if (bits >> 31)
        put(text, '-');
    char reversed[24];
    int length = 0;
    while (number || length <= digits) {
        reversed[length++] = '0' + number % 10;
        number /= 10;
    }
    while (length--) {
        put(text, reversed[length]);
        if (length == digits)
            put(text, '.');
    }
    return true;
}

// Writes the selected boxes as JSON: an array with label, score and corners of each. Returns the number of bytes.
EXPORT(json)
int32_t json(const float *boxes, int32_t count, const float *scores, int32_t count_of_scores, const int32_t *classes,
             int32_t count_of_classes, const int64_t *selected, int32_t found, uint8_t *bytes, int32_t room)
{
    struct text text = {bytes, 0, room};
    put(&text, '[');
    for (int32_t i = 0; i < found; i++) {
        if (selected[i] < 0 || selected[i] >= count)
            return NO_BOX;
        int32_t box = selected[i], label = classes[box];
        if (label < 0 || label >= LABELS)
            return NO_LABEL;
        print(&text, i ? ",\n {\"label\": \"" : "{\"label\": \"");
        print(&text, labels[label]);
        print(&text, "\", \"score\": ");
        if (!finite(bits(&scores[box])))
            return NOT_FINITE;
        if (!print_float(&text, bits(&scores[box]), 4))
            return TOO_LARGE;
        print(&text, ", \"box\": [");
        for (int j = 0; j < 4; j++) {
            if (j)
                print(&text, ", ");
            uint32_t corner = bits(&boxes[4 * box + j]);
            if (!finite(corner))
                return NOT_FINITE;
            if (!print_float(&text, corner, 2))
                return TOO_LARGE;
        }
        print(&text, "]}");
    }
    print(&text, "]\n");
    return text.length <= room ? text.length : NO_ROOM;
}
