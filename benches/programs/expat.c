/* expat.c: the XML parser Expat on a document that we make: elements, attributes, entities, comments, namespaces. */
#include <expat.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static char document[48 * 1024];
static int document_length;

static void make_document(void)
{
    uint64_t seed = 7;
    int at = snprintf(document, sizeof document, "<?xml version='1.0'?><list xmlns='urn:l' xmlns:x='urn:x'>");
    for (int i = 0; at < (int)sizeof document - 400; i++) {
        uint64_t draw = program_random(&seed);
        at += snprintf(document + at, sizeof document - (size_t)at,
                       "<item id='%d' x:key='%llx'><name>n &amp; %d &lt;%x&gt;</name><!-- %d -->"
                       "<empty/><a><b><c d='&#65;%d'>t\xc3\xa9xt</c></b></a><![CDATA[<raw %d>]]></item>\n",
                       i, (unsigned long long)draw, i, (unsigned)(draw >> 32), i, i, i);
    }
    document_length = at + snprintf(document + at, sizeof document - (size_t)at, "</list>");
}

static void on_start(void *sum, const XML_Char *name, const XML_Char **attributes)
{
    *(uint64_t *)sum = program_fold(*(uint64_t *)sum, strlen(name));
    for (; *attributes; attributes++)
        *(uint64_t *)sum = program_fold(*(uint64_t *)sum, (unsigned char)**attributes);
}

static void on_end(void *sum, const XML_Char *name)
{
    *(uint64_t *)sum = program_fold(*(uint64_t *)sum, (unsigned char)name[0]);
}

static void on_text(void *sum, const XML_Char *text, int length)
{
    *(uint64_t *)sum = program_fold(*(uint64_t *)sum, (uint64_t)length + (unsigned char)text[0]);
}

uint64_t program_run(int rounds)
{
    uint64_t sum = PROGRAM_SUM;
    make_document();
    while (rounds-- > 0) {
        XML_Parser parser = XML_ParserCreateNS(NULL, ' ');
        if (!parser)
            program_fail("expat", "no memory");
        XML_SetUserData(parser, &sum);
        XML_SetElementHandler(parser, on_start, on_end);
        XML_SetCharacterDataHandler(parser, on_text);
        for (int at = 0; at < document_length; at += 1000) {
            int rest = document_length - at;
            if (!XML_Parse(parser, document + at, rest < 1000 ? rest : 1000, rest <= 1000))
                program_fail("expat", XML_ErrorString(XML_GetErrorCode(parser)));
        }
        XML_ParserFree(parser);
    }
    return sum;
}
