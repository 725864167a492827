// The Mandelbrot set as text, in double precision.
//
// Input: width and height in characters, the most iterations, then the centre's x and y and the width of the picture, the last three
// as integers, millionths. Characters are twice as high as wide.
// Output: a line of characters for each row, by how many iterations it takes until a point is farther than 2 from the origin.

#include "../io.h"

static int iterations(double x, double y, int most) {
    double a = 0, b = 0, aa = 0, bb = 0;
    int n = 0;
    while (n < most && aa + bb <= 4) {
        b = 2 * a * b + y;
        a = aa - bb + x;
        aa = a * a;
        bb = b * b;
        n++;
    }
    return n;
}

EXPORT(_start) void _start(void) {
    static const char shades[] = ".:-=+*#%";
    int width, height, most, x, y, size;
    if (!read_int(&width) || !read_int(&height) || !read_int(&most) || !read_int(&x) || !read_int(&y) || !read_int(&size))
        return;
    double scale = size / 1e6 / width;
    for (int row = 0; row < height; row++) {
        double point_y = y / 1e6 + (row - height / 2.0) * scale * 2;
        for (int column = 0; column < width; column++) {
            double point_x = x / 1e6 + (column - width / 2.0) * scale;
            int n = iterations(point_x, point_y, most);
            output_byte(n < most ? shades[n % 8] : ' ');
        }
        output_byte('\n');
    }
}
