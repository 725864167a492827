static int quotient(int a, int b) {
    int doubled = 2 * a;
    return doubled
        / b;
}
