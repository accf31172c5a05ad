#include <Python.h>

static PyObject *count(PyObject *self, PyObject *text) {
    Py_ssize_t size, found = 0;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) return NULL;
    for (Py_ssize_t at = 0; at < size; at++) found += bytes[at] == ' ';
    return PyLong_FromSsize_t(found + 1);
}

static PyMethodDef methods[] = {{"count", count, METH_O, "The number of words."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_count", NULL, -1, methods};

PyMODINIT_FUNC PyInit__count(void) { return PyModule_Create(&module); }
